import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../support/contract-server.ts';

contract('a token is created, looked up, renewed and revoked', async (t, server) => {
  const created = await server.ask('POST', 'auth/token/create', {
    data: { policies: ['default', 'app'], ttl: '1h', meta: { who: 'test' }, display_name: 'the app' },
  });
  t.equal(created.status, 200);
  t.match(created.body.auth, {
    lease_duration: 3600,
    renewable: true,
    policies: ['app', 'default'],
    orphan: false,
  });
  t.match(created.body.warnings, [/Policy "app" does not exist/]);
  const token = created.body.auth.client_token;
  const self = await server.ask('GET', 'auth/token/lookup-self', { token });
  t.match(self.body.data, {
    display_name: 'token-the-app',
    path: 'auth/token/create',
    creation_ttl: 3600,
    num_uses: 0,
  });
  const renewed = await server.ask('POST', 'auth/token/renew-self', { token, data: { increment: '30m' } });
  t.equal(renewed.body.auth.lease_duration, 1800);
  await server.ask('POST', 'auth/token/renew', { data: { token } });
  const looked = await server.ask('POST', 'auth/token/lookup', { data: { token } });
  t.equal(looked.body.data.id, token);
  const accessor = created.body.auth.accessor;
  const byAccessor = await server.ask('POST', 'auth/token/lookup-accessor', { data: { accessor } });
  t.equal(byAccessor.body.data.id, '');
  t.equal(
    (await server.ask('POST', 'auth/token/renew-accessor', { data: { accessor } })).body.auth.client_token,
    '',
  );
  t.equal((await server.ask('POST', 'auth/token/revoke-self', { token })).status, 204);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token })).status, 403);
  t.equal((await server.ask('POST', 'auth/token/lookup', { data: { token } })).status, 403);
  t.equal((await server.ask('POST', 'auth/token/renew', { data: { token } })).status, 400);
});

contract('a token takes its children along, an orphan stays', async (t, server) => {
  await server.ask('PUT', 'sys/policies/acl/maker', {
    data: { policy: 'path "auth/token/*" { capabilities = ["create", "update", "sudo"] }' },
  });
  const parent = (await server.ask('POST', 'auth/token/create', { data: { policies: ['maker'] } })).body.auth
    .client_token;
  const child = (await server.ask('POST', 'auth/token/create', { token: parent, data: { ttl: '1h' } })).body
    .auth;
  const orphan = (
    await server.ask('POST', 'auth/token/create-orphan', { token: parent, data: { ttl: '1h' } })
  ).body.auth;
  t.equal(orphan.orphan, true);
  t.equal((await server.ask('POST', 'auth/token/revoke', { data: { token: parent } })).status, 204);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token: child.client_token })).status, 403);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token: orphan.client_token })).status, 200);
  t.equal(
    (await server.ask('POST', 'auth/token/revoke-accessor', { data: { accessor: orphan.accessor } })).status,
    204,
  );
  t.equal(
    (await server.ask('POST', 'auth/token/revoke-accessor', { data: { accessor: orphan.accessor } })).status,
    200,
  );
});

contract('periodic, capped, non-renewable and batch tokens', async (t, server) => {
  const create = async (data: object) =>
    (await server.ask('POST', 'auth/token/create', { data: { policies: ['default'], ...data } })).body.auth;
  const periodic = await create({ period: '1h' });
  t.equal(
    (
      await server.ask('POST', 'auth/token/renew-self', {
        token: periodic.client_token,
        data: { increment: '5m' },
      })
    ).body.auth.lease_duration,
    3600,
  );
  t.equal(
    (await server.ask('GET', 'auth/token/lookup-self', { token: periodic.client_token })).body.data.period,
    3600,
  );
  const capped = await create({ explicit_max_ttl: '10m', ttl: '1h' });
  t.equal(capped.lease_duration, 600);
  t.ok(
    (
      await server.ask('POST', 'auth/token/renew-self', {
        token: capped.client_token,
        data: { increment: '1h' },
      })
    ).body.auth.lease_duration <= 600,
  );
  const fixed = await create({ renewable: false, ttl: '1h' });
  t.equal(fixed.renewable, false);
  t.strictSame(
    (await server.ask('POST', 'auth/token/renew-self', { token: fixed.client_token })).body.errors,
    ['lease is not renewable'],
  );
  const batch = await create({ type: 'batch', ttl: '1h' });
  t.match(batch, { accessor: '', token_type: 'batch', renewable: false });
  t.strictSame(
    (await server.ask('POST', 'auth/token/renew', { data: { token: batch.client_token } })).body.errors,
    ['batch tokens cannot be renewed'],
  );
  await server.ask('GET', 'auth/token/lookup-self', { token: batch.client_token });
  await server.ask('POST', 'auth/token/revoke', { data: { token: batch.client_token } });
  await server.ask('POST', 'auth/token/create', { data: { type: 'batch', num_uses: 3 } });
  await server.ask('POST', 'auth/token/create', { token: batch.client_token, data: {} });
});

contract('a token with uses is gone after the last', async (t, server) => {
  const token = (
    await server.ask('POST', 'auth/token/create', { data: { policies: ['default'], num_uses: 2 } })
  ).body.auth.client_token;
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token })).body.data.num_uses, 1);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token })).status, 200);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token })).status, 403);
});

contract('a token ends with its time to live', async (t, server) => {
  const token = (
    await server.ask('POST', 'auth/token/create', { data: { policies: ['default'], ttl: '1s' } })
  ).body.auth.client_token;
  const deadline = Date.now() + 60_000;
  const look = () =>
    fetch(`${server.address}/v1/auth/token/lookup-self`, { headers: { 'x-vault-token': token } });
  while ((await look()).status === 200 && Date.now() < deadline) await delay(100);
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token })).status, 403);
});

contract('what may not be created is refused with its reason', async (t, server) => {
  await server.ask('PUT', 'sys/policies/acl/maker', {
    data: { policy: 'path "auth/token/create" { capabilities = ["create", "update"] }' },
  });
  const token = (await server.ask('POST', 'auth/token/create', { data: { policies: ['maker'] } })).body.auth
    .client_token;
  const refused = async (data: object): Promise<string[]> =>
    (await server.ask('POST', 'auth/token/create', { token, data })).body.errors;
  t.strictSame(await refused({ policies: ['other'] }), ['child policies must be subset of parent']);
  t.strictSame(await refused({ period: '1h' }), [
    'root or sudo privileges required to create periodic token',
  ]);
  t.strictSame(await refused({ no_parent: true }), [
    'root or sudo privileges required to create orphan token',
  ]);
  t.strictSame(await refused({ id: 'mine' }), ['root or sudo privileges required to specify token id']);
  await refused({ type: 'nonsense' });
  await refused({ ttl: 'nonsense' });
  await server.ask('POST', 'auth/token/create', { data: { id: 'my-own', policies: ['default'] } });
  t.equal((await server.ask('GET', 'auth/token/lookup-self', { token: 'my-own' })).status, 200);
  await server.ask('POST', 'auth/token/create', { data: { id: 'my-own', policies: ['default'] } });
  await server.ask('POST', 'auth/token/create/nobody', { data: {} });
  await server.ask('LIST', 'auth/token/accessors');
});

contract('a token role decides policies and period', async (t, server) => {
  await server.ask('POST', 'auth/token/roles/app', {
    data: { allowed_policies: 'app,other', token_period: '2h', orphan: true, path_suffix: 'ver1' },
  });
  const { auth } = (await server.ask('POST', 'auth/token/create/app', { data: {} })).body;
  t.match(auth, { policies: ['app', 'default', 'other'], lease_duration: 7200, orphan: true });
  t.equal(
    (await server.ask('GET', 'auth/token/lookup-self', { token: auth.client_token })).body.data.path,
    'auth/token/create/app/ver1',
  );
  t.match((await server.ask('POST', 'auth/token/create/app', { data: { policies: ['evil'] } })).body.errors, [
    /must be subset of the role's allowed policies/,
  ]);
  await server.ask('POST', 'auth/token/roles/globs', { data: { allowed_policies_glob: 'app-*-read,x*' } });
  const ofGlobs = async (policy: string): Promise<number> =>
    (await server.ask('POST', 'auth/token/create/globs', { data: { policies: [policy] } })).status;
  t.equal(await ofGlobs('app-web-read'), 200);
  t.equal(await ofGlobs('app-web-write'), 400);
  await server.ask('POST', 'auth/token/roles/bad', { data: { path_suffix: '?' } });
  await server.ask('GET', 'auth/token/roles/app');
  await server.ask('LIST', 'auth/token/roles');
  await server.ask('DELETE', 'auth/token/roles/app');
  await server.ask('GET', 'auth/token/roles/app');
});
