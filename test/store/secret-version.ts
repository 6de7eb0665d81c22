import t from 'tap';
import { SecretValue } from '../../src/base/secret-value.ts';
import { parseJson } from '../../src/base/text/json.ts';
import {
  digestData,
  fieldBytes,
  parseBody,
  secretFields,
  shownVersion,
} from '../../src/store/secret-version.ts';

const of = (text: string, shape: 'flat' | 'kv2' = 'flat') => ({
  content: { form: 'vault' as const, body: SecretValue.fromText(text), shape },
});

t.test('takes the fields from where the shape has them', async (t) => {
  t.same(Object.keys(secretFields(of('{"data":{"a":1}}'))), ['a']);
  t.same(Object.keys(secretFields(of('{"data":{"data":{"b":1},"metadata":{}}}', 'kv2'))), ['b']);
  t.same(secretFields(of('{"data":null}')), {});
  t.same(secretFields(of('{"data":{"data":null}}', 'kv2')), {});
  t.same(secretFields(of('{}')), {});
});

t.test('gives strings as they are and the rest as JSON, numbers as they came', async (t) => {
  const fields = secretFields(
    of('{"data":{"s":"a\\n","n":1.50,"big":123456789012345678901,"o":{"x":[1.0]},"z":null}}'),
  );
  const text = (name: string) => fieldBytes(fields, name)?.toString();
  t.equal(text('s'), 'a\n');
  t.equal(text('n'), '1.50');
  t.equal(text('big'), '123456789012345678901');
  t.equal(text('o'), '{"x":[1.0]}');
  t.equal(text('z'), 'null');
  t.equal(text('missing'), undefined);
  t.equal(text('constructor'), undefined);
});

t.test('digests are equal for equal data, whatever their order, and bookkeeping left out', async (t) => {
  const digest = (text: string, ignored?: string[]) => digestData(parseJson(text), ignored);
  t.equal(digest('{"a":1,"b":{"c":[1,2]}}'), digest('{"b":{"c":[1,2]},"a":1}'));
  t.not(digest('{"a":1}'), digest('{"a":"1"}'));
  t.not(digest('{"a":[1,2]}'), digest('{"a":[2,1]}'));
  t.not(digest('{"a":1}'), digest('{"a":1.0}'));
  t.equal(digest('{"a":1,"ttl":5}', ['ttl']), digest('{"a":1,"ttl":9}', ['ttl']));
  t.not(digest('{"a":{"ttl":5}}', ['ttl']), digest('{"a":{"ttl":9}}', ['ttl']), 'only at the top');
});

t.test('refuses a body that is not an object', async (t) => {
  t.throws(() => parseBody(of('[1]')), TypeError);
});

t.test('shows the number of upstream where there is one', async (t) => {
  const version = {
    ...of('{}'),
    kind: 'static',
    dataDigest: '',
    number: 3,
    obtainedAt: 0,
    expiresAt: undefined,
  } as const;
  t.equal(shownVersion(version), 3);
  t.equal(shownVersion({ ...version, versionId: '8' }), 8);
});
