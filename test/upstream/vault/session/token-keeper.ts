import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createReference } from '../../../../src/store/reference.ts';
import type { AuthConfig } from '../../../../src/upstream/vault/config/vault-config.ts';
import { createFastClock } from '../../../support/fast-clock.ts';
import {
  grantedAuth,
  type StubAnswer,
  type StubRequest,
  type StubVault,
  startStubVault,
} from '../../../support/stub-vault.ts';
import {
  appRole,
  authCommon,
  createTestUpstream,
  interactive,
  shutdown,
} from '../../../support/test-upstream.ts';
import { waitFor } from '../../../support/wait-for.ts';

const denied = { status: 403, json: { errors: ['permission denied'] } };
const patience = () => AbortSignal.timeout(60_000);
const lease = createReference({ upstream: 'vault', path: 'database/creds/app' });

async function start(
  t: Test,
  auth: AuthConfig,
  route: (request: StubRequest, vault: StubVault) => StubAnswer,
) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  vault.route((request) =>
    request.path === lease.path
      ? { json: { lease_id: `${lease.path}/1`, lease_duration: 9999, renewable: true, data: {} } }
      : undefined,
  );
  vault.route((request) => route(request, vault));
  const made = createTestUpstream({
    config: { addresses: [vault.address], timeoutMs: 600_000, auth },
    clock: createFastClock(100),
  });
  t.teardown(() => made.upstream.close(shutdown));
  const ended: string[][] = [];
  made.upstream.listen({ leasesEnd: (leaseIds) => ended.push([...leaseIds]) });
  made.upstream.start();
  await made.upstream.ready(patience());
  return { vault, ended, ...made };
}

t.test(
  'a renewal that finds the token dead leads to a login at once, and tells what died with it',
  async (t) => {
    let logins = 0;
    const { vault, upstream, logs, ended } = await start(t, appRole, ({ path, headers }) => {
      if (path === 'auth/approle/login') {
        logins += 1;
        return { json: { auth: grantedAuth(`s.${logins}`, { lease_duration: 60 }) } };
      }
      const isOfFirst = headers['x-vault-token'] === 's.1';
      return /^auth\/token\/(?:renew|lookup)-self$/.test(path) && isOfFirst ? denied : undefined;
    });
    await upstream.read(lease, interactive());
    await waitFor('a second login', () => logins >= 2);
    t.ok(logs.lines.some(({ message }) => message.startsWith('the token is refused')));
    t.equal(vault.count('auth/token/lookup-self'), 1);
    t.same(ended, [[`${lease.path}/1`]]);
  },
);

t.test('a given token that cannot be renewed is used to its end, and looked at once', async (t) => {
  const path = join(t.testdir({ token: 's.given' }), 'token');
  const backoff = { minBackoffMs: 3_600_000, maxBackoffMs: 3_600_000 };
  const auth: AuthConfig = { ...authCommon, ...backoff, method: 'token_file', mount: 'token', path };
  let ttl = 3600;
  const { vault, upstream, ended, logs } = await start(t, auth, (request, vault) => {
    if (request.path !== 'auth/token/lookup-self') return undefined;
    if (vault.count(request.path) > 2) return denied;
    return { json: { data: { ttl, renewable: false, policies: ['default'] } } };
  });
  await upstream.read(lease, interactive());
  t.equal(vault.count('auth/token/lookup-self'), 1);
  // The same token once more in its file: looked at again, for its life may be another now, and no new login.
  ttl = 20;
  writeFileSync(path, 's.given\n');
  await waitFor('the look at the file', () => vault.count('auth/token/lookup-self') === 2);
  await waitFor('its end', () => upstream.status().state === 'denied');
  t.equal(vault.count('auth/token/lookup-self'), 3);
  t.equal(logs.lines.filter(({ message }) => message === 'logged in').length, 1);
  t.same(ended, [[`${lease.path}/1`]], 'told when it has ended, not when the file was written');
});

t.test('a given token in its last second is one that ends', async (t) => {
  const path = join(t.testdir({ token: 's.given' }), 'token');
  const auth: AuthConfig = { ...authCommon, method: 'token_file', mount: 'token', path };
  const { upstream } = await start(t, auth, (request) =>
    request.path === 'auth/token/lookup-self'
      ? { json: { data: { ttl: 0, expire_time: '2030-01-01T00:00:00Z', renewable: false, policies: [] } } }
      : undefined,
  );
  t.type(upstream.status().login.expiresAt, 'number');
});

t.test('every request of a login and of its token is made in the namespace of the login', async (t) => {
  const auth = { ...appRole, namespace: 'team', wrapTtlSeconds: 60 };
  const own = /^auth\/(?:approle\/login|token\/)|^sys\/wrapping/;
  const { vault, upstream } = await start(t, auth, ({ path }) => {
    if (path === 'auth/approle/login')
      return { json: { wrap_info: { token: 's.wrapping', creation_path: path, ttl: 60 } } };
    if (path === 'sys/wrapping/unwrap')
      return { json: { auth: grantedAuth('s.1', { lease_duration: 300 }) } };
    return path === 'auth/token/renew-self' || path === lease.path ? denied : undefined;
  });
  await upstream.read(lease, interactive()).catch(() => undefined); // denied: the token looks itself up
  await waitFor('a renewal', () => vault.count('auth/token/renew-self') > 0);
  await upstream.close({ revokeToken: true, signal: patience() });
  const asked = vault.requests.filter(({ path }) => own.test(path));
  t.same(
    asked.filter(({ headers }) => headers['x-vault-namespace'] !== 'team').map(({ path }) => path),
    [],
  );
  for (const path of ['sys/wrapping/unwrap', 'auth/token/lookup-self', 'auth/token/revoke-self'])
    t.ok(vault.count(path) > 0, path);
  t.equal(vault.requests.find(({ path }) => path === lease.path)?.headers['x-vault-namespace'], undefined);
});

t.test('a given token is looked up in the namespace of the login', async (t) => {
  const path = join(t.testdir({ token: 's.given' }), 'token');
  const auth: AuthConfig = { ...authCommon, method: 'token_file', mount: 'token', path, namespace: 'team' };
  const { vault } = await start(t, auth, () => undefined);
  const [look] = vault.requests.filter((request) => request.path === 'auth/token/lookup-self');
  t.equal(look?.headers['x-vault-namespace'], 'team');
});

t.test('a given token that may not look itself up is used all the same', async (t) => {
  const path = join(t.testdir({ token: 's.given' }), 'token');
  const auth: AuthConfig = { ...authCommon, method: 'token_file', mount: 'token', path };
  const { upstream } = await start(t, auth, (request) =>
    request.path === 'auth/token/lookup-self'
      ? { status: 403, json: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } }
      : undefined,
  );
  await upstream.read(lease, interactive());
  t.match(upstream.status(), { state: 'ready', login: { state: 'logged_in' } });
});
