import { contract } from '../support/contract-server.ts';

contract('an AppRole logs in with role id and secret id', async (t, server) => {
  t.equal((await server.ask('POST', 'sys/auth/approle', { data: { type: 'approle' } })).status, 204);
  const role = {
    token_policies: 'app,other',
    token_ttl: '20m',
    token_max_ttl: '30m',
    secret_id_ttl: '10m',
    secret_id_num_uses: 2,
  };
  t.equal((await server.ask('POST', 'auth/approle/role/app', { data: role })).status, 204);
  t.match((await server.ask('GET', 'auth/approle/role/app')).body.data, {
    token_ttl: 1200,
    token_max_ttl: 1800,
    secret_id_num_uses: 2,
    token_policies: ['app', 'other'],
  });
  const { role_id } = (await server.ask('GET', 'auth/approle/role/app/role-id')).body.data;
  const made = (
    await server.ask('POST', 'auth/approle/role/app/secret-id', { data: { metadata: '{"host":"a"}' } })
  ).body.data;
  t.match(made, { secret_id_ttl: 600, secret_id_num_uses: 2 });
  const { secret_id, secret_id_accessor } = made;
  await server.ask('POST', 'auth/approle/role/app/secret-id/lookup', { data: { secret_id } });
  await server.ask('POST', 'auth/approle/role/app/secret-id-accessor/lookup', {
    data: { secret_id_accessor },
  });
  await server.ask('LIST', 'auth/approle/role/app/secret-id');
  const login = () => server.ask('POST', 'auth/approle/login', { token: '', data: { role_id, secret_id } });
  const first = await login();
  t.match(first.body.auth, {
    lease_duration: 1200,
    renewable: true,
    policies: ['app', 'default', 'other'],
    metadata: { role_name: 'app', host: 'a' },
  });
  const token = first.body.auth.client_token;
  t.match((await server.ask('GET', 'auth/token/lookup-self', { token })).body.data, {
    path: 'auth/approle/login',
    orphan: true,
    display_name: 'approle',
  });
  t.ok(
    (await server.ask('POST', 'auth/token/renew-self', { token, data: { increment: '2h' } })).body.auth
      .lease_duration <= 1800,
  );
  t.equal((await login()).status, 200);
  t.equal((await login()).status, 400, 'the uses are spent');
  await server.ask('POST', 'auth/approle/role/app/secret-id/lookup', { data: { secret_id } });
  await server.ask('LIST', 'auth/approle/role');
  t.equal((await server.ask('DELETE', 'auth/approle/role/app')).status, 204);
  t.equal((await server.ask('GET', 'auth/approle/role/app')).status, 404);
});

contract('an AppRole refuses what is wrong', async (t, server) => {
  await server.ask('POST', 'sys/auth/approle', { data: { type: 'approle' } });
  await server.ask('POST', 'auth/approle/role/app', { data: { token_policies: 'app' } });
  const { role_id } = (await server.ask('GET', 'auth/approle/role/app/role-id')).body.data;
  const login = async (data: object) =>
    (await server.ask('POST', 'auth/approle/login', { token: '', data })).body.errors;
  t.strictSame(await login({}), ['missing role_id']);
  t.strictSame(await login({ role_id }), ['missing secret_id']);
  t.strictSame(await login({ role_id, secret_id: 'wrong' }), ['invalid role or secret ID']);
  t.strictSame(await login({ role_id: 'wrong', secret_id: 'wrong' }), ['invalid role or secret ID']);
  await server.ask('POST', 'auth/approle/role/nobody/secret-id');
  await server.ask('GET', 'auth/approle/role/nobody/role-id');
  await server.ask('POST', 'auth/approle/role/app/secret-id-accessor/lookup', {
    data: { secret_id_accessor: 'nothing' },
  });
  await server.ask('POST', 'auth/approle/role/bad', { data: { token_ttl: '2h', token_max_ttl: '1h' } });
  await server.ask('POST', 'auth/approle/role/unbound', { data: { bind_secret_id: false } });
});

contract('a secret id is custom and destroyed', async (t, server) => {
  await server.ask('POST', 'sys/auth/approle', { data: { type: 'approle' } });
  await server.ask('POST', 'auth/approle/role/app', { data: { token_policies: 'app' } });
  await server.ask('POST', 'auth/approle/role/app/role-id', { data: { role_id: 'the-role' } });
  const login = (secret_id: string) =>
    server.ask('POST', 'auth/approle/login', { token: '', data: { role_id: 'the-role', secret_id } });
  await server.ask('POST', 'auth/approle/role/app/custom-secret-id', { data: { secret_id: 'the-secret' } });
  t.equal((await login('the-secret')).status, 200);
  t.equal(
    (
      await server.ask('POST', 'auth/approle/role/app/secret-id/destroy', {
        data: { secret_id: 'the-secret' },
      })
    ).status,
    204,
  );
  t.equal((await login('the-secret')).status, 400);
});

contract('a wrapped secret id is opened once', async (t, server) => {
  await server.ask('POST', 'sys/auth/approle', { data: { type: 'approle' } });
  await server.ask('POST', 'auth/approle/role/app', { data: { token_policies: 'app' } });
  const { wrap_info } = (await server.ask('POST', 'auth/approle/role/app/secret-id', { wrapTtl: '60s' }))
    .body;
  t.match(wrap_info, { ttl: 60, creation_path: 'auth/approle/role/app/secret-id' });
  const opened = await server.ask('POST', 'sys/wrapping/unwrap', { token: wrap_info.token });
  t.ok(opened.body.data.secret_id);
  t.equal((await server.ask('POST', 'sys/wrapping/unwrap', { token: wrap_info.token })).status, 400);
});
