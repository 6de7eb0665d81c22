// A reload that changes, replaces or removes an upstream: what it has lent lives until its users have moved.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import t, { type Test } from 'tap';
import type { AgentStatus } from '../../src/api/status.ts';
import { startAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { startPostgres } from '../support/postgres.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);

/** Tokens live for 3 s, credentials for 8 s; logins as `one` or `two`. */
async function setUp(t: Test, postgres: Postgres, secret: object = {}) {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  const database = await mountDatabase(vault, postgres, { defaultTtl: '8s', maxTtl: '24h' });
  await vault.writePolicy(
    'app',
    'path "*" { capabilities = ["read", "update", "list", "subscribe"] subscribe_event_types = ["*"] }',
  );
  await vault.writeSecret('secret/word', { is: 'old' });
  const roleIds: Record<string, string> = {};
  for (const name of ['one', 'two']) {
    const { roleId, secretId } = await vault.createAppRole(name, { policies: ['app'], token_ttl: '3s' });
    roleIds[name] = roleId;
    writeFileSync(join(folder, name), secretId, { mode: 0o600 });
  }
  const upstream = (name: string, changes: object = {}) => ({
    address: vault.address,
    events: false,
    auth: {
      method: 'approle',
      role_id: roleIds[name],
      secret_id_file: join(folder, name),
      remove_secret_id_file: false,
    },
    ...changes,
  });
  const destination = join(folder, 'db.conf');
  const config = (upstreams: object) => ({
    upstreams,
    listeners: [{ unix: join(folder, 'latchkey.sock'), serve: ['secrets', 'admin'] }],
    state_dir: join(folder, 'state'),
    secrets: {
      db: { path: 'database/creds/app', overlap: '0s', ...secret },
      word: { path: 'secret/word', refresh: '1h' },
    },
    files: [{ contents: '{{ field "db" "username" }}', destination }],
  });
  const agent = startAgent(t, { folder, vault, config: config({ vault: upstream('one') }) });
  await agent.untilReady();
  const status = async () => JSON.parse((await agent.ask('/status')).text) as AgentStatus;
  return {
    vault,
    agent,
    database,
    upstream,
    inFile: () => readFileSync(destination, 'utf8'),
    login: async () => (await status()).upstreams[0]?.login?.accessor,
    async reload(upstreams: object, others: object = {}) {
      writeFileSync(agent.configPath, JSON.stringify({ ...config(upstreams), ...others }), { mode: 0o600 });
      t.equal((await agent.ask('/reload', { method: 'POST' })).status, 200);
    },
    isToken: async (accessor: string | undefined) =>
      (await vault.vault.request('PUT', 'auth/token/lookup-accessor', { accessor })).status === 200,
  };
}

t.test('what needs no other login changes neither login nor leases', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const { vault, agent, database, upstream, inFile, login, reload } = await setUp(t, postgres);
  const [accessor, first] = [await login(), inFile()];
  const limits = { budget: { requests_per_second: 7, concurrency: 5 }, timeout: '7s', max_body: '70KiB' };
  await reload({ vault: upstream('one', { ...limits, events: true }) });
  await waitFor('a change told by an event', async () => {
    await vault.writeSecret('secret/word', { is: 'new' });
    return (await agent.ask('/secrets/word/is')).text === 'new';
  });
  await reload({ vault: upstream('one') });
  t.equal(await login(), accessor);
  t.equal(vault.countRequests(/auth\/approle\/login/), 1);
  t.strictSame(await database.roles(), [first]);
});

t.test('leases of an upstream that a reload replaces live until their users have moved', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const { database, upstream, inFile, login, reload } = await setUp(t, postgres);
  const [accessor, first] = [await login(), inFile()];
  await reload({ vault: upstream('two') });
  await waitFor('the other login', async () => {
    const now = await login();
    return now !== undefined && now !== accessor;
  });
  let dead = 0;
  await waitFor('another credential', async () => {
    const before = inFile();
    const roles = await database.roles();
    if (before === inFile() && !roles.includes(before)) dead += 1;
    return before !== first;
  });
  t.equal(dead, 0, 'the file always held a living one');
  await waitFor('the end of the first', async () => (await database.roles()).join() === inFile());
});

t.test('an upstream that a reload removes is closed when its leases are gone', async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  const { database, upstream, inFile, login, reload, isToken } = await setUp(t, postgres, { overlap: '1s' });
  const [accessor, first] = [await login(), inFile()];
  await reload({ other: upstream('two') });
  await waitFor('another credential', () => inFile() !== first);
  t.ok(await isToken(accessor), 'its token lives for the overlap');
  await waitFor('the end of the first', async () => (await database.roles()).join() === inFile());
  await waitFor('the end of its token', async () => !(await isToken(accessor)));
});
