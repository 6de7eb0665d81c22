import t from 'tap';
import type { ProcessCaller } from '../../../src/access/caller.ts';
import { isJsonObject, parseJson } from '../../../src/base/text/json.ts';
import { callerKey, grantOf, hasProof, keepableOf } from '../../../src/server/vault/vault-held-policy.ts';
import { vaultTarget } from '../../../src/server/vault/vault-path-policy.ts';

const parsed = (value: object) => {
  const json = parseJson(JSON.stringify(value));
  if (!isJsonObject(json)) throw new TypeError('not an object');
  return json;
};

t.test('logins, creations and requests that may give a lease are told by method and path', async (t) => {
  const cases: [string, string, ReturnType<typeof keepableOf>][] = [
    ['POST', 'auth/approle/login', 'login'],
    ['PUT', 'auth/userpass/login/joe', 'login'],
    ['POST', 'team/auth/a/b/login', 'login'],
    ['POST', 'auth/login', undefined],
    ['POST', 'auth/login/joe', undefined],
    ['POST', 'auth/ldap/login/joe/groups', undefined],
    ['POST', `${'auth/x/'.repeat(2000)}login/joe`, 'login'],
    ['GET', 'auth/approle/login', undefined],
    ['POST', 'auth/token/create', 'create'],
    ['POST', 'auth/token/create/role', 'create'],
    ['POST', 'auth/token/create-orphan', 'create'],
    ['POST', 'auth/token/renew-self', undefined],
    ['GET', 'database/creds/app', 'lease'],
    ['POST', 'pki/issue/web', 'lease'],
    ['DELETE', 'database/creds/app', undefined],
    ['POST', 'sys/wrapping/unwrap', undefined],
    ['POST', 'transit/encrypt/key', undefined],
    ['GET', 'cubbyhole/x', undefined],
    ['GET', 'database/roles?list=true', undefined],
  ];
  for (const [method, url, expected] of cases) {
    const [path = '', query = ''] = url.split('?');
    t.equal(keepableOf(method, vaultTarget(`/v1/${path}`, query)), expected, `${method} ${url}`);
  }
});

t.test('only what can be renewed and is for more than one use is kept', async (t) => {
  const auth = { client_token: 's.1', accessor: 'a', renewable: true, lease_duration: 60, num_uses: 0 };
  const lease = { lease_id: 'db/1', renewable: true, lease_duration: 60 };
  t.match(grantOf(parsed({ auth }), 'create'), {
    kind: 'token',
    id: 's.1',
    accessor: 'a',
    durationSeconds: 60,
  });
  t.match(grantOf(parsed({ ...lease, auth: null }), 'lease'), { kind: 'lease', id: 'db/1' });
  for (const answer of [
    { auth: { ...auth, renewable: false } },
    { auth: { ...auth, num_uses: 1 } },
    { auth: { ...auth, lease_duration: 0 } },
    { auth: { ...auth, client_token: '' } },
    { auth: { mfa_requirement: { mfa_request_id: 'x' }, client_token: '', renewable: true } },
    { auth, wrap_info: { token: 's.w' } },
    { ...lease, renewable: false },
    { ...lease, lease_id: '' },
    { data: {} },
  ]) {
    for (const kind of ['login', 'create', 'lease'] as const) {
      t.equal(grantOf(parsed(answer), kind), undefined, JSON.stringify(answer));
    }
  }
});

t.test('a credential in the body proves, a name or what can be guessed does not', async (t) => {
  t.ok(hasProof(parsed({ role_id: 'r', secret_id: 's' })));
  t.notOk(hasProof(parsed({ role_id: 'r' })));
  t.notOk(hasProof(parsed({ role_id: 'r', secret_id: '' })));
  t.notOk(hasProof(parsed({ name: 'cert' })));
  t.notOk(hasProof(parsed({ password: 'guessed' })));
});

t.test('processes are one caller where user, program, unit and container are', async (t) => {
  const caller: ProcessCaller = {
    ...{ kind: 'process', uid: 1, gid: 1, groups: [], pid: 10, startTime: '5' },
    ...{ exe: '/usr/bin/app', unit: 'app.service', container: undefined, isForeign: false },
  };
  t.equal(callerKey({ ...caller, pid: 11, startTime: '6' }), callerKey(caller));
  for (const over of [
    { uid: 2 },
    { gid: 2 },
    { exe: '/bin/sh' },
    { unit: 'b.service' },
    { container: 'c' },
  ]) {
    t.not(callerKey({ ...caller, ...over }), callerKey(caller), JSON.stringify(over));
  }
});
