import t from 'tap';
import {
  isJsonObject,
  JsonNumber,
  parseJson,
  parseJsonBytes,
  stringifyJson,
} from '../../../src/base/text/json.ts';

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

t.test('the same bytes are parsed once, whoever asks', (t) => {
  const bytes = Buffer.from('{"a":1.50}');
  const first = parseJsonBytes(bytes);
  t.equal(stringifyJson(first), '{"a":1.50}');
  t.equal(parseJsonBytes(bytes), first);
  t.not(parseJsonBytes(Buffer.from(bytes)), first, 'and others with the same text are others');
  const broken = Buffer.from('{');
  for (let time = 0; time < 2; time += 1) t.throws(() => parseJsonBytes(broken), SyntaxError);
  t.end();
});
