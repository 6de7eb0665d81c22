import { contract } from '../support/contract-server.ts';

contract('wrong tokens and missing tokens', async (t, server) => {
  const wrong = await server.ask('GET', 'secret/data/app', { token: 'nonsense' });
  t.equal(wrong.status, 403);
  const expected =
    server.dialect === 'vault'
      ? ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n']
      : ['permission denied'];
  t.strictSame(wrong.body.errors, expected);
  const missing = await server.ask('GET', 'secret/data/app', { token: '' });
  t.equal(missing.status, 403);
  t.match(missing.body.errors, [/permission denied/]);
  const bearer = await server.ask('GET', 'auth/token/lookup-self', {
    token: '',
    headers: { authorization: 'Bearer contract-root' },
  });
  t.equal(bearer.status, 200);
});

contract('no such mount, path, method', async (t, server) => {
  const mount = await server.ask('GET', 'nowhere/data/app');
  t.equal(mount.status, 404);
  t.strictSame(mount.body.errors, ['no handler for route "nowhere/data/app". route entry not found.']);
  await server.ask('POST', 'auth/nowhere/login', { data: {} });
  t.equal((await server.ask('GET', 'sys/nonsense')).status, 404);
  t.equal((await server.ask('POST', 'auth/token/lookup-self', { data: {} })).status, 200);
  t.equal((await server.ask('DELETE', 'auth/token/create')).status, 405);
  t.equal((await server.ask('GET', 'auth/token/create')).status, 405);
  t.equal((await server.ask('LIST', 'auth/token/create')).status, 404);
  await server.ask('POST', 'sys/mounts', { data: {} });
  await server.ask('POST', 'sys/leases/lookup', { data: {} });
  await server.ask('POST', 'sys/leases/lookup', { data: { lease_id: 'nothing' } });
  await server.ask('POST', 'sys/leases/renew', { data: {} });
  await server.ask('POST', 'sys/leases/renew', { data: { lease_id: 'nothing' } });
  await server.ask('POST', 'sys/leases/revoke', { data: { lease_id: 'nothing' } });
  await server.ask('POST', 'sys/leases/revoke', { data: { lease_id: 'nothing', sync: true } });
});

contract('bodies that are no JSON objects', async (t, server) => {
  const post = async (body: string): Promise<number> => {
    const headers = { 'x-vault-token': 'contract-root', 'content-type': 'application/json' };
    return (await fetch(`${server.address}/v1/secret/data/app`, { method: 'POST', headers, body })).status;
  };
  t.equal(await post('{'), 400);
  t.equal(await post('[]'), 400);
  t.equal(await post(''), 400);
  t.equal((await fetch(`${server.address}/elsewhere`, { redirect: 'manual' })).status === 200, false);
});

contract('mounts are added, shown, tuned and removed', async (t, server) => {
  t.equal(
    (
      await server.ask('POST', 'sys/mounts/team/kv', {
        data: {
          type: 'kv',
          options: { version: '2' },
          config: { default_lease_ttl: '1h', max_lease_ttl: '2h' },
        },
      })
    ).status,
    204,
  );
  t.match((await server.ask('GET', 'sys/mounts')).body.data['team/kv/'], {
    type: 'kv',
    options: { version: '2' },
    config: { default_lease_ttl: 3600 },
  });
  await server.ask('GET', 'sys/mounts/team/kv');
  t.match((await server.ask('GET', 'sys/mounts/team/kv/tune')).body.data, {
    default_lease_ttl: 3600,
    max_lease_ttl: 7200,
  });
  t.equal(
    (await server.ask('POST', 'sys/mounts/team/kv/tune', { data: { default_lease_ttl: '30m' } })).status,
    204,
  );
  await server.ask('POST', 'sys/mounts/team/kv', { data: { type: 'kv' } });
  await server.ask('POST', 'sys/mounts/odd', { data: { type: 'nonsense' } });
  await server.ask('POST', 'sys/mounts/odd', { data: {} });
  await server.ask('POST', 'sys/mounts/plain', { data: { type: 'kv' } });
  await server.ask('GET', 'sys/mounts/plain');
  await server.ask('GET', 'plain/a');
  await server.ask('POST', 'sys/mounts/sys', { data: { type: 'kv' } });
  t.equal((await server.ask('DELETE', 'sys/mounts/team/kv')).status, 204);
  t.equal((await server.ask('DELETE', 'sys/mounts/team/kv')).status, 204);
  t.equal((await server.ask('GET', 'team/kv/data/a')).status, 404);
  await server.ask('GET', 'sys/mounts/team/kv');
  await server.ask('POST', 'sys/auth/up', { data: { type: 'userpass', description: 'people' } });
  t.match((await server.ask('GET', 'sys/auth')).body.data['up/'], {
    type: 'userpass',
    description: 'people',
  });
  await server.ask('GET', 'sys/auth/up');
  await server.ask('POST', 'sys/auth/up', { data: { type: 'userpass' } });
  t.equal((await server.ask('DELETE', 'sys/auth/up')).status, 204);
});
