import { contract } from '../support/contract-server.ts';

// HashiCorp's free edition has no namespaces: its real server answers 404 there, and this part is not asked of it.
contract("namespaces are isolated, and the parent's root token reaches in", async (t, server) => {
  if (server.dialect === 'vault' && !server.isEmbedded) {
    t.pass('namespaces', { skip: 'the free edition of HashiCorp Vault has none' });
    return;
  }
  t.equal((await server.ask('POST', 'sys/namespaces/team-a', { data: {} })).status, 200);
  await server.ask('GET', 'sys/namespaces/team-a');
  t.strictSame((await server.ask('LIST', 'sys/namespaces')).body.data.keys, ['team-a/']);
  const inside = { namespace: 'team-a' };
  t.equal(
    (
      await server.ask('POST', 'sys/mounts/secret', {
        ...inside,
        data: { type: 'kv', options: { version: '2' } },
      })
    ).status,
    204,
  );
  t.equal(
    (await server.ask('POST', 'secret/data/app', { ...inside, data: { data: { where: 'team-a' } } })).status,
    200,
  );
  t.equal((await server.ask('GET', 'secret/data/app')).status, 404);
  t.equal((await server.ask('GET', 'team-a/secret/data/app')).body.data.data.where, 'team-a');
  await server.ask('PUT', 'sys/policies/acl/app', {
    ...inside,
    data: { policy: 'path "secret/data/*" { capabilities = ["read"] }' },
  });
  const { auth } = (await server.ask('POST', 'auth/token/create', { ...inside, data: { policies: ['app'] } }))
    .body;
  t.equal((await server.ask('GET', 'secret/data/app', { ...inside, token: auth.client_token })).status, 200);
  t.equal((await server.ask('GET', 'secret/data/app', { token: auth.client_token })).status, 403);
  t.match((await server.ask('GET', 'auth/token/lookup-self', { token: auth.client_token })).body.data, {
    namespace_path: 'team-a/',
  });
  t.equal((await server.ask('POST', 'auth/token/renew-self', { token: auth.client_token })).status, 200);
  await server.ask('GET', 'sys/internal/ui/mounts/secret/app', { ...inside, token: auth.client_token });
  const { wrap_info } = (await server.ask('GET', 'secret/data/app', { ...inside, wrapTtl: '60s' })).body;
  t.equal(
    (await server.ask('POST', 'sys/wrapping/unwrap', { ...inside, token: wrap_info.token })).status,
    200,
  );
  t.equal((await server.ask('GET', 'secret/data/app', { namespace: 'nowhere' })).status, 404);
  await server.ask('POST', 'sys/namespaces/deep', { ...inside, data: { custom_metadata: { a: 'b' } } });
  t.equal(
    (await server.ask('POST', 'sys/mounts/kv1', { namespace: 'team-a/deep', data: { type: 'kv' } })).status,
    204,
  );
  await server.ask('GET', 'sys/namespaces/nowhere');
  await server.ask('LIST', 'sys/namespaces', inside);
});
