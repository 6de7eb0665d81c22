// Who answers for a lease when several commands share a config, and what is left of it when they end.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram, startAgent, startProgram } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const postgres = await startPostgres(t);
const vault = await startDevVault(t);
const database = postgres && (await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' }));

/** A folder of its own, and no lease of the tests before. */
async function setUp(t: Test) {
  if (database === undefined) return undefined;
  await vault.ask('PUT', 'sys/leases/revoke-prefix/database/creds');
  const folder = testFolder(t);
  const destination = join(folder, 'db.conf');
  const env = { VAULT_TOKEN: vault.rootToken };
  const file = (contents: string) => ({
    state_dir: join(folder, 'state'),
    secrets: { db: { path: 'database/creds/app', overlap: '0s' } },
    files: [{ contents, destination }],
  });
  const write = (name: string, config: object) => {
    const path = join(folder, name);
    const upstreams = { vault: { kind: 'vault', address: vault.address, auth: { method: 'token' } } };
    writeFileSync(path, JSON.stringify({ upstreams, ...config }));
    return path;
  };
  return { database, folder, destination, env, file, write };
}

t.test('render beside a running agent leaves the leases of the agent alone', async (t) => {
  const scene = await setUp(t);
  if (scene === undefined) return;
  const { database, folder, destination, env, file } = scene;
  const agent = startAgent(t, { folder, vault, config: file('{{ field "db" "username" }}') });
  await agent.untilReady();
  const [lease] = await database.leases();
  const state = join(folder, 'state', 'leases.json');
  await waitFor('the lease in the state file', () => readFileSync(state, 'utf8').includes(lease ?? '-'));
  const before = readFileSync(state, 'utf8');

  const diff = await runProgram(t, ['render', '--diff', '--config', agent.configPath], { env });
  t.equal(diff.code, 0, diff.stderr);
  t.strictSame(await database.leases(), [lease], 'what was only looked at is revoked, and nothing else');
  t.equal(readFileSync(state, 'utf8'), before);
  t.strictSame(await database.roles(), [readFileSync(destination, 'utf8')]);
});

for (const contents of [
  '{{ field "db" "username" }}',
  '{{ with secret "database/creds/app" }}{{ .Data.username }}{{ end }}',
]) {
  t.test(`render --once leaves the credential of ${contents} alive`, async (t) => {
    const scene = await setUp(t);
    if (scene === undefined) return;
    const { database, destination, env, file, write } = scene;
    const upstreams = await loginOf(scene, 'path "*" { capabilities = ["read", "update"] }');
    const config = write('render.yaml', { ...file(contents), upstreams });
    const done = await runProgram(t, ['render', '--once', '--config', config], { env });
    t.equal(done.code, 0, done.stderr);
    t.strictSame(await database.roles(), [readFileSync(destination, 'utf8')]);
  });
}

t.test('two programs under `run` with one config do not take each other for their last run', async (t) => {
  const scene = await setUp(t);
  if (scene === undefined) return;
  const { database, env, folder, write } = scene;
  const config = write('run.yaml', {
    state_dir: join(folder, 'state'),
    secrets: { db: { path: 'database/creds/app', overlap: '0s' } },
    processes: [
      {
        name: 'app',
        command: ['sh', '-c', 'echo started; exec sleep 600'],
        env: { DB: '{{ field "db" "username" }}' },
      },
    ],
  });
  const state = join(folder, 'state', 'run-leases.json');
  const first = startProgram(t, ['run', '--process', 'app', '--config', config], { env });
  const [lease] = await waitFor('the first lease', async () => {
    const leases = await database.leases();
    return leases.length === 1 && readIfThere(state).includes(leases[0] ?? '-') ? leases : undefined;
  });
  const second = startProgram(t, ['run', '--process', 'app', '--config', config], { env });
  await waitFor('the second lease', async () => (await database.leases()).length === 2);
  await waitFor('its program', () => second.stdout().includes('started'));
  second.child.kill('SIGTERM');
  await second.exited;
  t.strictSame(await database.leases(), [lease]);
  await waitFor('the first program', () => first.stdout().includes('started'));
  first.child.kill('SIGTERM');
  await first.exited;
  t.strictSame(await database.leases(), []);
});

t.test('a login that may not revoke leases ends them with its token', async (t) => {
  const scene = await setUp(t);
  if (scene === undefined) return;
  const { database, folder } = scene;
  const upstreams = await loginOf(scene, 'path "database/creds/*" { capabilities = ["read"] }');
  for (const onExit of ['revoke', 'keep']) {
    const agent = startAgent(t, {
      folder,
      vault,
      config: {
        upstreams,
        state_dir: join(folder, onExit),
        secrets: { db: { path: 'database/creds/app', on_exit: onExit } },
      },
    });
    await agent.untilReady();
    t.equal((await database.leases()).length, 1);
    await agent.stop();
    t.equal((await database.leases()).length, onExit === 'keep' ? 1 : 0, onExit);
  }
});

/** Upstreams with a login by AppRole, whose token only has this policy. */
async function loginOf({ folder }: { folder: string }, policy: string) {
  await vault.writePolicy('app', policy);
  const { roleId, secretId } = await vault.createAppRole('app', { policies: ['app'] });
  const path = join(folder, 'secret-id');
  writeFileSync(path, secretId, { mode: 0o600 });
  const auth = { method: 'approle', role_id: roleId, secret_id_file: path, remove_secret_id_file: false };
  return { vault: { kind: 'vault', address: vault.address, events: false, auth } };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
