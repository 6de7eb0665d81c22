// `latchkey validate --online` against every server: it names what a login lacks as a policy that is enough, and leaves
// nothing behind.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Finished, runProgram } from '../support/cli.ts';
import { type ContractServer, contract } from '../support/contract-server.ts';
import { testFolder } from '../support/test-folder.ts';

const secrets = {
  app: { path: 'secret/app' },
  old: { path: 'kv/old' },
  db: { path: 'database/creds/app' },
  web: { path: 'pki/issue/web', operation: 'write', parameters: { common_name: 'a.test' } },
};
const files = [
  {
    contents:
      '{{ with secret "secret/data/outer" }}{{ with secret "secret/inner" }}{{ .Data.data.a }}{{ end }}{{ end }}',
    destination: '/tmp/never-written',
  },
];

async function mountAll({ ask }: ContractServer): Promise<void> {
  await ask('PUT', 'sys/mounts/kv', { data: { type: 'kv', options: { version: '1' } } });
  await ask('PUT', 'sys/mounts/database', { data: { type: 'database' } });
  await ask('PUT', 'sys/mounts/pki', { data: { type: 'pki' } });
  await ask('PUT', 'sys/auth/approle', { data: { type: 'approle' } });
  for (const name of ['app', 'outer', 'inner'])
    await ask('PUT', `secret/data/${name}`, { data: { data: { a: 'b' } } });
  await ask('PUT', 'kv/old', { data: { a: 'b' } });
}

/** An AppRole with this policy, and the config that logs in by it. */
async function setUp(
  t: Test,
  { ask, address }: ContractServer,
  { policy, asks = { secrets, files }, role = {} }: { policy: string; asks?: object; role?: object },
): Promise<{ config: string; check(...args: string[]): Promise<Finished> }> {
  const folder = testFolder(t);
  await ask('PUT', 'sys/policies/acl/agent', { data: { policy } });
  await ask('PUT', 'auth/approle/role/agent', { data: { token_policies: 'agent', ...role } });
  const roleId = (await ask('GET', 'auth/approle/role/agent/role-id')).body.data.role_id;
  const secretId = (await ask('PUT', 'auth/approle/role/agent/secret-id')).body.data.secret_id;
  const secretFile = join(folder, 'secret-id');
  writeFileSync(secretFile, secretId, { mode: 0o600 });
  const auth = {
    method: 'approle',
    role_id: roleId,
    secret_id_file: secretFile,
    remove_secret_id_file: false,
  };
  const config = join(folder, 'latchkey.yaml');
  const sinks = [{ path: join(folder, 'sink') }];
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { vault: { address, auth, sinks } },
      state_dir: join(folder, 'state'),
      ...asks,
    }),
    { mode: 0o600 },
  );
  return {
    config,
    check: (...args) => runProgram(t, ['validate', '--online', '--config', config, ...args]),
  };
}

contract('a policy that lacks it all is made whole by what is printed', async (t, server) => {
  await mountAll(server);
  const { check } = await setUp(t, server, {
    policy:
      'path "secret/data/app" { capabilities = ["list"] }\npath "kv/*" { capabilities = ["list"] }\npath "database/roles" { capabilities = ["list"] }',
  });
  const first = await check();
  t.match(first, { code: 1 });
  t.match(first.stderr, /^\S+:\d+:\d+: secrets\.app: the login lacks read on "secret\/data\/app"$/m);
  t.match(first.stderr, /^\S+:\d+:\d+: secrets\.old: the login lacks read on "kv\/old"$/m, 'of version 1');
  t.match(first.stderr, /^\S+:\d+:\d+: secrets\.db: the login lacks read on "database\/creds\/app"$/m);
  t.match(
    first.stderr,
    /^\S+:\d+:\d+: secrets\.web: the login lacks update on "pki\/issue\/web", or /m,
    'its mount is hidden',
  );
  t.match(
    first.stderr,
    /^\S+:\d+:\d+: files\[0\]\.template: the login lacks read on "secret\/data\/outer"$/m,
  );
  t.match(
    first.stderr,
    /^\S+:\d+:\d+: files\[0\]\.template: the login lacks read on "secret\/data\/inner"$/m,
    'within a with',
  );
  t.match(first.stderr, /^\S+:\d+:\d+: upstreams\.vault: the login lacks update on "sys\/leases\/revoke"$/m);
  t.notMatch(first.stderr, /^valid/m);
  t.match(first.stdout, /^path "secret\/data\/inner" \{\n {2}capabilities = \["read"\]\n\}$/m);
  await server.ask('PUT', 'sys/policies/acl/agent', { data: { policy: first.stdout } });
  const second = await check();
  t.match(second, { code: 0, stdout: '', stderr: /^valid: 1 upstream, 4 secrets, 1 file/m });
  t.match(
    second.stderr,
    /^note: \S+:\d+:\d+: secrets\.web: `latchkey rotate --revoke-now` could not .*: the login lacks update on "pki\/revoke-with-key"$/m,
    'the agent goes on without it',
  );
});

contract('what is not there is told, and a wrong mount is no matter of policies', async (t, server) => {
  await mountAll(server);
  const asks = {
    secrets: { gone: { path: 'secret/gone' }, lost: { path: 'nowhere/app' }, app: { path: 'secret/app' } },
  };
  const { check } = await setUp(t, server, {
    policy: 'path "*" { capabilities = ["read", "update"] }',
    asks,
  });
  const { code, stderr, stdout } = await check();
  t.equal(code, 1);
  t.match(stderr, /^\S+:\d+:\d+: secrets\.gone: read secret\/data\/gone: no such secret/m);
  t.match(
    stderr,
    /^\S+:\d+:\d+: secrets\.lost: nothing is mounted at "nowhere\/app"; check the path and the namespace$/m,
  );
  t.notMatch(stderr, /secrets\.app/);
  t.equal(stdout, '', 'no policy helps');
  const json = JSON.parse((await check('--json')).stdout);
  t.match(json, {
    valid: false,
    problems: [],
    upstreams: [{ upstream: 'vault', kind: 'vault', code: 'not_ready', policy: null }],
  });
  t.equal(json.upstreams[0].problems.length, 2);
});

contract('a login that may not ask what it may do', async (t, server) => {
  await mountAll(server);
  const { check } = await setUp(t, server, {
    policy:
      'path "secret/data/*" { capabilities = ["read"] }\npath "database/creds/app" { capabilities = ["read"] }',
    asks: { secrets: { app: { path: 'secret/app' }, db: { path: 'database/creds/app' } } },
    role: { token_no_default_policy: true },
  });
  const { code, stderr, stdout } = await check();
  t.equal(code, 3, 'it could not be found out');
  t.match(
    stderr,
    /^note: \S+:\d+:\d+: upstreams\.vault: the login may not ask what it may do \(sys\/capabilities-self\)/m,
  );
  t.match(stderr, /^note: \S+:\d+:\d+: secrets\.db: database\/creds\/app: could not be looked at$/m);
  t.notMatch(stderr, /secrets\.app/, 'read instead');
  t.match(stdout, /^path "sys\/capabilities-self" \{\n {2}capabilities = \["update"\]$/m);
});

contract('nothing stays behind: no token, no lease, no file', async (t, server) => {
  await mountAll(server);
  const { check, config } = await setUp(t, server, { policy: '' });
  const accessors = async () =>
    ((await server.ask('GET', 'auth/token/accessors?list=true')).body.data.keys as string[]).length;
  const before = await accessors();
  t.equal((await check()).code, 1);
  t.equal(await accessors(), before, 'the token is revoked');
  const folder = join(config, '..');
  t.strictSame(readdirSync(folder).sort(), ['latchkey.yaml', 'secret-id'], 'no sink, no state');
});
