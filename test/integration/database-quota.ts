// Rate limits of the server while callers flood it through the agent: the agent's own credentials are renewed and rotated all
// the while, and no login to a real PostgreSQL fails.
import { setTimeout as delay } from 'node:timers/promises';
import type { Postgres } from '@latchkey/devvault/postgres/postgres.ts';
import t, { type Test } from 'tap';
import type { TestAgent } from '../support/cli.ts';
import { mountDatabase } from '../support/database-engine.ts';
import { type LoginAgent, startLoginAgent } from '../support/login-agent.ts';
import { countLogins } from '../support/login-count.ts';
import { startPostgres } from '../support/postgres.ts';
import { type ServedVault, withEachVault } from '../support/served-vault.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(600_000);
t.jobs = 3;

const quota = 'sys/quotas/rate-limit';

function start(t: Test, vault: ServedVault, rest: Record<string, unknown> = {}): Promise<LoginAgent> {
  return startLoginAgent(t, vault, {
    policy: 'path "*" { capabilities = ["read", "create", "update", "list"] }',
    role: { token_ttl: '10m' },
    config: {
      listeners: [{ unix: 'latchkey.sock', serve: ['secrets', 'vault', 'admin', 'metrics'] }],
      ...rest,
    },
  });
}

/** Callers that ask without a pause until it is over; gives the statuses that they got. */
function flood(agent: TestAgent, paths: readonly string[]) {
  const seen: Record<number, number> = {};
  let isOver = false;
  const running = paths.map(async (path) => {
    while (!isOver) {
      const { status } = await agent.ask(`/v1/${path}`).catch(() => ({ status: 0 }));
      seen[status] = (seen[status] ?? 0) + 1;
      await delay(20);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(running);
    return seen;
  };
}

/** Callers flood `paths` while credentials log in; gives the statuses that callers got, and the users that were seen. */
async function floodedLogins(
  t: Test,
  { postgres, agent, paths, ms }: { postgres: Postgres; agent: LoginAgent; paths: string[]; ms: number },
) {
  const end = flood(agent, paths);
  const { logins, failures, users } = await countLogins(postgres, agent.loginFile, ms);
  const seen = await end();
  t.strictSame(failures, []);
  t.ok(logins > 10, `${logins} logins`);
  t.ok(users.size >= 2, `${users.size} users`);
  t.ok((seen[429] ?? 0) > 5, JSON.stringify(seen));
  return { seen, users };
}

withEachVault('no login fails while callers run into quotas', async (t, vault) => {
  const postgres = await startPostgres(t);
  if (postgres === undefined) return;
  await mountDatabase(vault, postgres, { defaultTtl: '6s', maxTtl: '12s' });
  await vault.ask('PUT', 'sys/mounts/limited', { type: 'kv', options: { version: '2' } });
  await vault.ask('PUT', 'sys/quotas/config', { enable_rate_limit_response_headers: true });
  await vault.ask('PUT', `${quota}/limited`, { path: 'limited/', rate: 2, interval: '60s' });
  await vault.ask('PUT', `${quota}/path`, { path: 'secret/data/one', rate: 1, interval: '60s' });
  const agent = await start(t, vault);
  await agent.untilReady();
  const paths = ['limited/data/s1', 'limited/data/s2', 'secret/data/one'];
  const { seen, users } = await floodedLogins(t, { postgres, agent, paths, ms: 14_000 });
  t.ok(users.size <= 4, `${users.size} users`);
  t.equal(seen[0], undefined);
  await agent.stop();
});

withEachVault(
  'no login fails while callers use up the quota of the very mount that the agent needs',
  async (t, vault) => {
    const postgres = await startPostgres(t);
    if (postgres === undefined) return;
    await mountDatabase(vault, postgres, { defaultTtl: '12s', maxTtl: '12s' });
    const agent = await start(t, vault);
    await agent.untilReady();
    await vault.ask('PUT', 'sys/quotas/config', { enable_rate_limit_response_headers: true });
    await vault.ask('PUT', `${quota}/database`, { path: 'database/', rate: 3, interval: '1s' });
    const paths = ['database/roles/app', 'database/roles/app', 'database/config/main'];
    const { seen } = await floodedLogins(t, { postgres, agent, paths, ms: 18_000 });
    t.ok((seen[200] ?? 0) > 5, 'callers are served too');
    await agent.stop();
  },
);

withEachVault(
  'no login fails while polls use up the quota of the very mount, of which the server tells nothing',
  async (t, vault) => {
    const postgres = await startPostgres(t);
    if (postgres === undefined) return;
    await mountDatabase(vault, postgres, { defaultTtl: '30s', maxTtl: '30s' });
    const names = Array.from({ length: 20 }, (_, index) => `polled${index}`);
    const { data } = await vault.ask('GET', 'database/roles/app');
    for (const name of names) await vault.ask('PUT', `database/roles/${name}`, data);
    const polled = names.map((name) => [name, { path: `database/roles/${name}`, refresh: '2s' }]);
    const agent = await start(t, vault, {
      secrets: { db: { path: 'database/creds/app' }, ...Object.fromEntries(polled) },
    });
    await agent.untilReady();
    await vault.ask('PUT', 'sys/quotas/config', { enable_rate_limit_response_headers: false });
    await vault.ask('PUT', `${quota}/database`, { path: 'database/', rate: 3, interval: '4s' });
    const begun = Date.now();
    const { logins, failures, users } = await countLogins(postgres, agent.loginFile, 55_000);
    t.strictSame(failures, []);
    t.ok(logins > 10 && users.size >= 3, `${logins} logins as ${users.size} users`);
    const { secrets } = JSON.parse((await agent.ask('/status')).text);
    for (const {
      names: [name = ''],
      confirmed_at: at,
    } of secrets)
      t.ok(Date.parse(at) >= begun, `${name}: confirmed at ${at}`);
    await agent.stop();
  },
);

for (const isTold of [true, false]) {
  const how = isTold ? 'that the server tells' : 'that the server does not tell';
  withEachVault(`no login fails while callers use up a quota of all paths ${how}`, async (t, vault) => {
    const postgres = await startPostgres(t);
    if (postgres === undefined) return;
    await mountDatabase(vault, postgres, { defaultTtl: '16s', maxTtl: '32s' });
    await vault.writeSecret('secret/one', { v: 'x' });
    await vault.ask('PUT', 'sys/quotas/config', { enable_rate_limit_response_headers: isTold });
    // Without a word of it the agent can only wait for its turn: it must come within a lease.
    const limit = isTold ? { rate: 40, interval: '20s' } : { rate: 6, interval: '2s' };
    await vault.ask('PUT', `${quota}/all`, { path: '', ...limit });
    const agent = await start(t, vault);
    await agent.untilReady();
    const paths = ['secret/data/one', 'secret/data/two', 'sys/mounts', 'secret/data/one'];
    const { seen } = await floodedLogins(t, { postgres, agent, paths, ms: 40_000 });
    t.ok((seen[200] ?? 0) > 5, 'callers are served too');
    await agent.stop();
  });
}

withEachVault(
  'twenty secrets under one quota all get a value, before any is polled again',
  async (t, vault) => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    for (const name of names) await vault.writeSecret(`secret/${name}`, { v: name });
    await vault.ask('PUT', `${quota}/kv`, { path: 'secret/', rate: 4, interval: '1s' });
    const agent = await start(t, vault, {
      secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '1s' }])),
      files: [],
    });
    const waiting = new Set(names);
    await waitFor('a value of each', async () => {
      for (const name of waiting) {
        const { status } = await agent.ask(`/secrets/${name}`).catch(() => ({ status: 0 }));
        if (status === 200) waiting.delete(name);
      }
      return waiting.size === 0;
    });
    await waitFor('a turn for the change', async () => {
      const { status } = await vault.request('PUT', 'secret/data/s7', { data: { v: 'changed' } });
      return status === 200;
    });
    await waitFor('a change of one', async () => (await agent.ask('/secrets/s7')).text.includes('changed'));
    const lines = agent.log().split('\n');
    const told = lines.filter(
      (line) => line.includes('limits the rate of requests here') && line.includes('warn'),
    );
    t.ok(told.length <= 1, `${told.length} lines`);
    const warnings = lines.filter((line) => /"level":"?(warn|40)/.test(line));
    t.ok(warnings.length <= 5, `${warnings.length} warnings\n${warnings.slice(0, 8).join('\n')}`);
    await agent.stop();
  },
);
