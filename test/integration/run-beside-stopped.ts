// `latchkey run` on the state folder of an agent that has stopped: what that left in use lives on, and its next start goes on
// with it; what the run was issued itself goes with it, or, where it is killed, with the next start.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import t, { type Test } from 'tap';
import { runProgram, startAgent, startProgram } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { queryPostgres, startPostgres } from '../support/postgres.ts';
import { type ServedVault, withEachVault } from '../support/served-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(120_000);

const policy = 'path "*" { capabilities = ["read", "create", "update", "list"] }';
const postgres = await startPostgres(t);

interface SceneOptions {
  auth?: object;
  /** Of the config of the agent and of `run`. */
  rest?: object;
}

/** An agent that wrote a file with a credential, and has stopped. */
async function stoppedAgent(t: Test, vault: ServedVault, postgres: Postgres, options: SceneOptions = {}) {
  const engine = await mountDatabase(vault, postgres, { defaultTtl: '1h', maxTtl: '24h' });
  const ofOthers = await engine.roles();
  const roles = async () => (await engine.roles()).filter((role) => !ofOthers.includes(role));
  await vault.ask('PUT', 'database/config/main', {
    ...{ plugin_name: 'postgresql-database-plugin', username: postgres.user, password: postgres.password },
    ...{
      connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/${postgres.database}`,
    },
    allowed_roles: 'app,other',
  });
  const { data: role } = await vault.ask('GET', 'database/roles/app');
  await vault.ask('PUT', 'database/roles/other', role);
  await vault.writePolicy('app', policy);
  const { roleId, secretId } = await vault.createAppRole('app', { token_policies: ['app'], token_ttl: '1h' });
  const folder = testFolder(t);
  const secretIdFile = join(folder, 'secret-id');
  writeFileSync(secretIdFile, secretId, { mode: 0o600 });
  const auth = {
    method: 'approle',
    role_id: roleId,
    secret_id_file: secretIdFile,
    remove_secret_id_file: false,
    ...options.auth,
  };
  const file = join(folder, 'db.conf');
  const config = {
    secrets: {
      db: { path: 'database/creds/app', overlap: '0s' },
      own: { path: 'database/creds/other', overlap: '0s' },
    },
    files: [{ contents: '{{ field "db" "username" }} {{ field "db" "password" }}', destination: file }],
    processes: [
      {
        name: 'job',
        command: ['sleep', '600'],
        env: { OWN: '{{ field "own" "username" }}' },
        required: false,
      },
    ],
    upstreams: { vault: { kind: 'vault', address: vault.address, events: false, auth } },
    ...options.rest,
  };
  const parts = { folder, vault, config: { ...config, processes: [], secrets: { db: config.secrets.db } } };
  const agent = startAgent(t, parts);
  await agent.untilReady();
  const login = credentialIn(file);
  await agent.stop();
  const state = join(folder, 'state', 'leases.json');
  const left = readFileSync(state, 'utf8');
  /** The config of `run`: that of the agent, with a program. */
  const runConfig = (name: string, changes: object = {}): string => {
    const path = join(folder, name);
    const log = { file: join(folder, 'run.log'), level: 'debug' };
    const all = { ...config, state_dir: join(folder, 'state'), log, ...changes };
    writeFileSync(path, JSON.stringify(all), { mode: 0o600 });
    return path;
  };
  return {
    ...{ roles, folder, file, login, runConfig },
    stillLogsIn: async (what: string) => {
      await t.resolves(queryPostgres(postgres, 'select 1', [], login), `${what}: the credential logs in`);
      t.equal(readFileSync(state, 'utf8'), left, `${what}: the state of the agent is as it was`);
    },
    /** Starts the agent again; it has the credential that it had. */
    async resumes() {
      const before = await roles();
      const agent = startAgent(t, parts);
      await agent.untilReady();
      t.strictSame(credentialIn(file), login, 'the agent goes on with what it had');
      t.strictSame(
        (await roles()).filter((role) => !before.includes(role)),
        [],
        'and has no other',
      );
      await queryPostgres(postgres, 'select 1', [], login);
      return agent;
    },
  };
}

function credentialIn(file: string): { user: string; password: string } {
  const [user = '', password = ''] = readFileSync(file, 'utf8').split(' ');
  return { user, password };
}

const job = (...words: string[]) => ['run', '--process', 'job', ...words];

withEachVault('run leaves what a stopped agent has in use', async (t, vault) => {
  if (postgres === undefined) return;
  const scene = await stoppedAgent(t, vault, postgres);
  const { roles, file, login, runConfig, stillLogsIn, resumes } = scene;
  const show = ['--', 'sh', '-c', 'printf %s "$OWN"'];
  const done = await runProgram(t, [...job('--config', runConfig('run.yaml')), ...show]);
  t.match(done, { code: 0, stdout: /^v-/ }, done.stderr);
  await stillLogsIn('after the same config');
  const inFile = credentialIn(file);
  await t.resolves(queryPostgres(postgres, 'select 1', [], inFile), 'what is in the file logs in');
  const left = await roles();
  t.strictSame(new Set(left), new Set([login.user, inFile.user]), 'its own credential is revoked');

  const renamed = {
    upstreams: {
      elsewhere: { kind: 'vault', address: vault.address, events: false, auth: { method: 'token' } },
    },
    files: [],
  };
  const env = { VAULT_TOKEN: vault.rootToken };
  const other = await runProgram(t, [...job('--config', runConfig('other.yaml', renamed)), ...show], { env });
  t.match(other, { code: 0, stdout: /^v-/ }, other.stderr);
  await stillLogsIn('after another config');
  t.strictSame(await roles(), left);
  await resumes();
});

t.test('what a run that is killed was issued is revoked by the next start, and nothing else', async (t) => {
  if (postgres === undefined) return;
  const vault = await startDevVault(t);
  const { roles, folder, login, runConfig, stillLogsIn, resumes } = await stoppedAgent(t, vault, postgres);
  const config = runConfig('run.yaml', { files: [] });
  const kill = async () => {
    const before = await roles();
    const run = startProgram(t, job('--config', config));
    const own = await waitFor('its credential in the state folder', async () => {
      const role = (await roles()).find((one) => !before.includes(one));
      const state = join(folder, 'state', 'run-leases.json');
      return existsSync(state) && readFileSync(state, 'utf8').includes('database/creds/other/') && role;
    });
    run.child.kill('SIGKILL');
    await run.exited;
    return own;
  };
  const first = await kill();
  const done = await runProgram(t, job('--config', config, '--', 'true'));
  t.equal(done.code, 0, done.stderr);
  t.notOk((await roles()).includes(first), 'by the next run');
  await stillLogsIn('after a killed run');
  const second = await kill();
  t.ok((await roles()).includes(second));
  const agent = await resumes();
  await waitFor('the agent knows of it', () => !existsSync(join(folder, 'state', 'run-leases.json')));
  await agent.stop();
  t.strictSame(await roles(), [login.user], 'by an agent');
});

withEachVault(
  'a login that cannot be repeated is lent to run, and stays that of the agent',
  async (t, vault) => {
    if (postgres === undefined) return;
    const auth = { remove_secret_id_file: true };
    const { roles, login, runConfig, stillLogsIn, resumes } = await stoppedAgent(t, vault, postgres, {
      auth,
    });
    const done = await runProgram(t, job('--config', runConfig('run.yaml', { files: [] }), '--', 'true'));
    t.equal(done.code, 0, done.stderr);
    await stillLogsIn('after a run');
    t.strictSame(await roles(), [login.user], 'what it was issued itself is revoked');
    await resumes();
  },
);

t.test('render and validate --online leave it too', async (t) => {
  if (postgres === undefined) return;
  const vault = await startDevVault(t);
  const { runConfig, stillLogsIn, resumes } = await stoppedAgent(t, vault, postgres);
  const config = runConfig('run.yaml', { processes: [] });
  for (const words of [
    ['render', '--diff'],
    ['render', '--once'],
    ['validate', '--online'],
  ]) {
    const done = await runProgram(t, [...words, '--config', config]);
    t.equal(done.code, 0, done.stderr);
    await stillLogsIn(words.join(' '));
  }
  await resumes();
});
