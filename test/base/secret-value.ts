import { inspect } from 'node:util';
import t from 'tap';
import { SecretValue } from '../../src/base/secret-value.ts';

t.test('is redacted wherever it is printed', (t) => {
  const value = SecretValue.fromText('hunter2');
  t.equal(`${value}`, '[redacted]');
  t.equal(JSON.stringify({ value }), '{"value":"[redacted]"}');
  t.equal(inspect({ value }, { depth: 9, showHidden: true }), '{ value: [redacted] }');
  t.end();
});

t.test('gives its bytes to those who ask, and compares them whole', (t) => {
  const value = SecretValue.fromBytes(Buffer.from('hunter2'));
  t.equal(value.text(), 'hunter2');
  t.equal(value.byteLength, 7);
  t.ok(value.equals(SecretValue.fromText('hunter2')));
  t.notOk(value.equals(SecretValue.fromText('hunter3')));
  t.notOk(value.equals(SecretValue.fromText('hunter22')));
  t.end();
});
