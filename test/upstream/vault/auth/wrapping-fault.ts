import t from 'tap';
import { describeError } from '../../../../src/base/errors.ts';
import { SecretValue } from '../../../../src/base/secret-value.ts';
import { answerLost, leftThere, wrappingFault } from '../../../../src/upstream/vault/auth/wrapping-fault.ts';

const refusal = 'wrapping token is not valid or does not exist';
const secretId = {
  place: 'auth.secret_id_file: /run/secret-id',
  content: 'secret id',
  mount: 'apps/approle',
  ownDoing: undefined,
} as const;
const token = { ...secretId, place: 'auth.path: /run/token', content: 'token', mount: 'token' } as const;

function said(
  status: number,
  source: Parameters<typeof wrappingFault>[2],
  { wasGood = false, wrapping = 's.wrapping', errors = [refusal] } = {},
): string {
  const body = Buffer.from(JSON.stringify(status === 200 ? { data: {} } : { errors }));
  const answer = { status, headers: {}, body, address: 'http://127.0.0.1:8200' };
  return describeError(wrappingFault(answer, SecretValue.fromText(wrapping), source, { wasGood }));
}

t.test('one that cannot be opened: all that it may mean, and the steps', async (t) => {
  const text = said(400, secretId);
  for (const words of [
    `auth.secret_id_file: /run/secret-id holds a wrapping token that cannot be opened (${refusal}); it was never valid`,
    'its time is over, or somebody else has opened it and has the secret id now: look in the audit log',
    'take it for an incident: revoke the secret id by its accessor (auth/apps/approle/role/ROLE/secret-id-accessor/destroy;',
    'then put a new wrapping token there',
  ])
    t.ok(text.includes(words), words);
  t.notMatch(text, /this agent|as it is/);
  t.match(
    said(403, token),
    /has the token now: .*revoke the token by its accessor \(auth\/token\/revoke-accessor;/,
  );
});

t.test('one that this agent may have used up itself is not told as a theft alone', async (t) => {
  for (const ownDoing of [leftThere, answerLost])
    t.ok(
      said(400, { ...token, ownDoing }).includes(`has the token now (or this agent: ${ownDoing}): look in`),
    );
});

t.test('one that was good a moment ago was opened by somebody', async (t) => {
  t.match(
    said(400, secretId, { wasGood: true }),
    /^auth.secret_id_file: \S+ held a wrapping token that was good, and was opened by somebody else \(.*\); take it for an incident/,
  );
});

t.test('what is no wrapping token, and a vault that says something else', async (t) => {
  const wrapping = 'f7a0ad0e-6d3b-4a2e-9c58-0d1a0a4f1d11';
  const text = said(400, secretId, { wrapping, errors: [`${wrapping} ${refusal}`] });
  t.match(
    text,
    /looks like a secret id as it is: then set secret_id_wrapped: false; else it was never valid/,
  );
  t.notMatch(text, wrapping);
  t.notMatch(said(400, token, { wrapping }), /as it is/);
  const away = said(404, secretId, { errors: ['namespace not found'] });
  t.match(away, /could not be opened: answered with 404 \(namespace not found\); check auth.namespace/);
  t.notMatch(away, /somebody/);
  t.match(said(200, secretId, { wasGood: true }), /could not be opened: no secret id was in it; check/);
});
