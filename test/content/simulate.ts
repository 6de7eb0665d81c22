import t from 'tap';
import { SecretValue } from '../../src/base/secret-value.ts';
import { parseJson } from '../../src/base/text/json.ts';
import { toLookupSecret } from '../../src/content/lookup-secret.ts';
import { makeUpOnce, simulateAll, simulateRotation } from '../../src/content/simulate.ts';

function secretOf(data: object, shape: 'flat' | 'kv2' = 'flat') {
  return toLookupSecret({
    content: { form: 'vault', body: SecretValue.fromText(JSON.stringify({ lease_id: 'a/b', data })), shape },
  });
}

t.test('every letter and digit differs, the shape stays', (t) => {
  const before = secretOf({ password: 'aZ9-xyz_00', port: 5432, hosts: ['db.example'], on: true });
  const { fields, data } = simulateAll(before);
  const text = String(fields['password']);
  t.match(text, /^[a-z][A-Z]\d-[a-z]{3}_\d\d$/);
  for (const [at, letter] of [...'aZ9-xyz_00'].entries()) {
    if (/[A-Za-z0-9]/.test(letter)) t.not(text[at], letter);
  }
  t.match(JSON.stringify(fields), /"port":\d{1,4},"hosts":\["[a-z]{2}\.[a-z]{7}"\],"on":true/);
  t.equal(data, fields);
  t.end();
});

t.test('of KV version 2 the metadata stays and the inner data agree with the fields', (t) => {
  const secret = simulateAll(secretOf({ data: { key: 'abc' }, metadata: { version: 3 } }, 'kv2'));
  t.not(secret.fields['key'], 'abc');
  t.equal(secret.data?.['data'], secret.fields);
  t.strictSame(secret.data?.['metadata'], parseJson('{"version":3}'));
  t.end();
});

t.test('a rotation changes what is named like a secret, and no PEM', (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';
  const { fields } = simulateRotation(secretOf({ host: 'db', password: 'one', certificate: pem }));
  t.equal(fields['host'], 'db');
  t.not(fields['password'], 'one');
  t.equal(fields['certificate'], pem);
  t.not(simulateRotation(secretOf({ value: 'one' })).fields['value'], 'one');
  t.end();
});

t.test('what is made up cannot be counted back, and is the same for all who ask at once', (t) => {
  const secret = secretOf({ password: 'correct horse battery staple' });
  const texts = new Set([1, 2, 3].map(() => String(simulateRotation(secret).fields['password'])));
  t.equal(texts.size, 3);
  const made = makeUpOnce((key, one) => (key === 'a' ? simulateRotation(one) : undefined));
  t.equal(made('a', secret), made('a', secret));
  t.equal(made('b', secret), undefined);
  t.end();
});
