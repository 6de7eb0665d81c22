import t from 'tap';
import { isJsonObject, JsonNumber, parseJson, stringifyJson } from '../../../src/base/text/json.ts';

t.test('keeps the text of numbers there and back', (t) => {
  const text = '{"a":1.50,"b":[1e3,-0,123456789012345678901234567890],"c":"1.50","d":null,"e":{"f":true}}';
  t.equal(stringifyJson(parseJson(text)), text);
  t.end();
});

t.test('numbers are no objects', (t) => {
  const value = parseJson('{"n":7}');
  t.ok(isJsonObject(value));
  t.notOk(isJsonObject(new JsonNumber('7')));
  t.notOk(isJsonObject(parseJson('[1]')));
  t.notOk(isJsonObject(parseJson('null')));
  t.end();
});

t.test('a key named __proto__ is data', (t) => {
  const value = parseJson('{"__proto__":{"x":1}}');
  t.strictSame(Object.keys(value as object), ['__proto__']);
  t.equal(stringifyJson(value), '{"__proto__":{"x":1}}');
  t.end();
});
