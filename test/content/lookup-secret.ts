import t from 'tap';
import { SecretValue } from '../../src/base/secret-value.ts';
import { secretValues, toLookupSecret, toNames } from '../../src/content/lookup-secret.ts';

const version = (body: object, shape: 'flat' | 'kv2' = 'flat') => ({
  content: { form: 'vault' as const, body: SecretValue.fromText(JSON.stringify(body)), shape },
});

t.test('gives a template the parts of the answer', (t) => {
  const secret = toLookupSecret(
    version({
      request_id: 'r',
      lease_id: 'l',
      lease_duration: 60,
      renewable: true,
      data: { user: 'u' },
      warnings: ['old'],
    }),
  );
  t.match(secret, {
    requestId: 'r',
    leaseId: 'l',
    leaseDurationSeconds: 60,
    isRenewable: true,
    data: { user: 'u' },
    warnings: ['old'],
    auth: null,
    wrapInfo: null,
    fields: { user: 'u' },
  });
  t.end();
});

t.test('the fields of KV version 2 are the inner data; an answer without data has none', (t) => {
  const body = { data: { data: { user: 'u' }, metadata: { version: 1 } } };
  t.strictSame(toLookupSecret(version(body, 'kv2')).fields, { user: 'u' });
  t.match(toLookupSecret(version({ data: null })), { data: null, fields: {} });
  t.end();
});

t.test('gives the names of a list', (t) => {
  t.strictSame(toNames(version({ data: { keys: ['a', 'b/'] } })), ['a', 'b/']);
  t.strictSame(toNames(version({ data: {} })), []);
  t.end();
});

t.test(
  'masks every value, longest first, and each long line of it; nothing that is too short to be one',
  (t) => {
    const secret = toLookupSecret(
      version({
        data: { pem: 'first line\nsecond line', pin: 12345, deep: { list: ['inner'] }, on: 'true', no: 'a' },
      }),
    );
    t.strictSame(
      secretValues(secret).map((value) => value.text()),
      ['first line\\nsecond line', 'first line\nsecond line', 'second line', 'first line', '12345', 'inner'],
    );
    t.end();
  },
);
