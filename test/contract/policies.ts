import type { ContractServer } from '../support/contract-server.ts';
import { contract } from '../support/contract-server.ts';

async function tokenWith(server: ContractServer, policy: string): Promise<string> {
  await server.ask('PUT', 'sys/policies/acl/tested', { data: { policy } });
  return (await server.ask('POST', 'auth/token/create', { data: { policies: ['tested'] } })).body.auth
    .client_token;
}

contract('policies allow by path, glob and segment, and deny wins', async (t, server) => {
  const token = await tokenWith(
    server,
    `path "secret/data/app/*" { capabilities = ["read", "create"] }
     path "secret/data/app/hidden" { capabilities = ["deny"] }
     path "secret/data/+/shared" { capabilities = ["read"] }
     path "secret/data/exact" { capabilities = ["read", "update"] } # a comment
     path "secret/metadata/app/*" { capabilities = ["list"] }`,
  );
  for (const path of ['app/a', 'app/hidden', 'team/shared', 'exact', 'other'])
    await server.ask('POST', `secret/data/${path}`, { data: { data: { a: '1' } } });
  const status = async (method: string, path: string): Promise<number> =>
    (await server.ask(method, path, { token, ...(method === 'POST' ? { data: { data: { a: '2' } } } : {}) }))
      .status;
  t.equal(await status('GET', 'secret/data/app/a'), 200);
  t.equal(await status('POST', 'secret/data/app/new'), 200, 'create');
  t.equal(await status('POST', 'secret/data/app/a'), 403, 'update is not create');
  t.equal(await status('GET', 'secret/data/app/hidden'), 403);
  t.equal(await status('GET', 'secret/data/team/shared'), 200);
  t.equal(await status('GET', 'secret/data/team/deep/shared'), 403);
  t.equal(await status('POST', 'secret/data/exact'), 200);
  t.equal(await status('DELETE', 'secret/data/exact'), 403);
  t.equal(await status('GET', 'secret/data/other'), 403);
  t.equal(await status('LIST', 'secret/metadata/app/'), 200);
  t.equal(await status('LIST', 'secret/metadata/'), 403);
  const refused = await server.ask('GET', 'secret/data/other', { token });
  t.strictSame(refused.body.errors, ['1 error occurred:\n\t* permission denied\n\n']);
});

contract('the most specific rule alone counts', async (t, server) => {
  const token = await tokenWith(
    server,
    `path "secret/*" { capabilities = ["read", "list", "update", "sudo"] }
     path "secret/data/*" { capabilities = ["read"] }
     path "secret/+/team/*" { capabilities = ["list"] }
     path "secret/data/team/+/x" { capabilities = ["create"] }
     path "secret/data/te*" { capabilities = ["delete"] }
     path "secret/data/team/a/x" { capabilities = ["patch", "read"] }`,
  );
  const paths = [
    'secret/other',
    'secret/data/a',
    'secret/data/team/a',
    'secret/data/team/b/x',
    'secret/data/tea',
    'secret/data/team/a/x',
    'secret/metadata/team/x',
    'nothing/x',
  ];
  const { body } = await server.ask('POST', 'sys/capabilities-self', { token, data: { paths } });
  t.strictSame(Object.fromEntries(paths.map((path) => [path, body[path]])), {
    'secret/other': ['list', 'read', 'sudo', 'update'],
    'secret/data/a': ['read'],
    'secret/data/team/a': ['delete'],
    'secret/data/team/b/x': ['create'],
    'secret/data/tea': ['delete'],
    'secret/data/team/a/x': ['patch', 'read'],
    'secret/metadata/team/x': ['list', 'read', 'sudo', 'update'],
    'nothing/x': ['deny'],
  });
  const one = (await server.ask('POST', 'sys/capabilities', { data: { token, path: 'secret/data/a' } })).body;
  t.strictSame(one.capabilities, ['read']);
  t.strictSame(
    (await server.ask('POST', 'sys/capabilities-self', { data: { path: 'secret/data/a' } })).body
      .capabilities,
    ['root'],
  );
  await server.ask('POST', 'sys/capabilities', { data: { token: 'nonsense', path: 'secret/data/a' } });
  await server.ask('POST', 'sys/capabilities-self', { token, data: {} });
  await server.ask('POST', 'sys/capabilities-accessor', { data: { accessor: 'nothing', path: 'a' } });
});

contract('sudo paths need sudo, and parameters are checked', async (t, server) => {
  const token = await tokenWith(
    server,
    `path "auth/token/accessors" { capabilities = ["list"] }
     path "kv1/limited" {
       capabilities = ["create", "update"]
       allowed_parameters = { "color" = ["red", "blue*"], "size" = [] }
       required_parameters = ["color"]
     }
     path "kv1/denied" { capabilities = ["create", "update"] denied_parameters = { "secret" = [] } }`,
  );
  await server.ask('POST', 'sys/mounts/kv1', { data: { type: 'kv', options: { version: '1' } } });
  t.equal((await server.ask('LIST', 'auth/token/accessors', { token })).status, 403);
  const write = async (path: string, data: object): Promise<number> =>
    (await server.ask('POST', path, { token, data })).status;
  t.equal(await write('kv1/limited', { color: 'red', size: '3' }), 204);
  t.equal(await write('kv1/limited', { color: 'bluegreen' }), 204);
  t.equal(await write('kv1/limited', { color: 'green' }), 403);
  t.equal(await write('kv1/limited', { size: '3' }), 403);
  t.equal(await write('kv1/limited', { color: 'red', other: 'x' }), 403);
  t.equal(await write('kv1/denied', { a: 'x' }), 204);
  t.equal(await write('kv1/denied', { secret: 'x' }), 403);
});

contract('policies are written, read, listed, removed, and refused when they are none', async (t, server) => {
  const policy = 'path "a/*" { capabilities = ["read"] }';
  t.equal((await server.ask('PUT', 'sys/policies/acl/One', { data: { policy } })).status, 200);
  t.equal((await server.ask('PUT', 'sys/policies/acl/one', { data: { policy } })).status, 204);
  t.match((await server.ask('GET', 'sys/policies/acl/one')).body.data, { name: 'one', policy });
  t.ok((await server.ask('LIST', 'sys/policies/acl')).body.data.keys.includes('one'));
  await server.ask('GET', 'sys/policy/one');
  await server.ask('GET', 'sys/policy');
  t.equal((await server.ask('DELETE', 'sys/policies/acl/one')).status, 204);
  t.equal((await server.ask('GET', 'sys/policies/acl/one')).status, 404);
  t.equal(
    (
      await server.ask('PUT', 'sys/policies/acl/json', {
        data: { policy: '{"path":{"a/*":{"capabilities":["read"]}}}' },
      })
    ).status,
    204,
  );
  t.equal(
    (
      await server.ask('PUT', 'sys/policies/acl/bad', {
        data: { policy: 'path "a" { capabilities = ["fly"] }' },
      })
    ).status,
    400,
  );
  t.equal((await server.ask('PUT', 'sys/policies/acl/bad', { data: { policy: 'nonsense {' } })).status, 400);
  t.equal((await server.ask('PUT', 'sys/policies/acl/root', { data: { policy } })).status, 400);
  t.equal((await server.ask('DELETE', 'sys/policies/acl/default')).status, 400);
  t.equal((await server.ask('PUT', 'sys/policies/acl/none', { data: {} })).status, 400);
});

contract('the mount preflight tells only what a token may use', async (t, server) => {
  const token = await tokenWith(server, 'path "secret/data/app/*" { capabilities = ["read"] }');
  const seen = await server.ask('GET', 'sys/internal/ui/mounts/secret/app/x', { token });
  t.match(seen.body.data, { type: 'kv', path: 'secret/', options: { version: '2' } });
  t.equal((await server.ask('GET', 'sys/internal/ui/mounts/cubby/x', { token })).status, 403);
  const other = await tokenWith(server, 'path "nothing/*" { capabilities = ["read"] }');
  const refused = await server.ask('GET', 'sys/internal/ui/mounts/secret/app', { token: other });
  t.equal(refused.status, 403);
  t.match(refused.body.errors, [/preflight capability check returned 403/]);
  await server.ask('GET', 'sys/internal/ui/mounts/secret/app', { token: 'nonsense' });
  await server.ask('GET', 'sys/internal/ui/mounts/secret/app', { token: '' });
  t.ok((await server.ask('GET', 'sys/internal/ui/mounts')).body.data.secret['secret/']);
});
