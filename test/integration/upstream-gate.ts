// The gate to an upstream as the whole agent uses it: what the metrics count is what the vault got, and the limits of the
// config are the limits of the requests.
import type { ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import { startAgent } from '../support/cli.ts';
import { kv2, startStubVault } from '../support/stub-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const approle = { method: 'approle', role_id: 'r' };
const isCount = /^latchkey_upstream_(requests|logins)_total\{(.*)\} (\d+)$/gm;

async function start(t: Test, config: Record<string, unknown>, upstream: Record<string, unknown> = {}) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const agent = startAgent(t, {
    folder: testFolder(t),
    vault: { address: vault.address, rootToken: '' },
    config: { upstreams: { vault: { address: vault.address, auth: approle, ...upstream } }, ...config },
  });
  return { vault, agent };
}

t.test('requests and logins are counted as the vault counts them, whatever they are for', async (t) => {
  const { vault, agent } = await start(t, {
    secrets: { app: { path: 'secret/app', refresh: '1h' }, none: { path: 'secret/none', required: false } },
    listeners: [{ unix: 'latchkey.sock', serve: ['secrets', 'vault', 'admin'] }],
  });
  vault.route(({ path }) => (path === 'secret/data/app' ? { json: kv2({ a: '1' }) } : undefined));
  await agent.untilReady();
  for (const path of ['/v1/sys/health', '/v1/secret/data/nothing', '/v1/auth/token/lookup-self'])
    await agent.ask(path);
  await waitFor('the subscription to events', () => vault.count('sys/events/subscribe/kv*') > 0);
  const counted = async () => {
    const { text } = await agent.ask('/metrics');
    const sum = { requests: 0, logins: 0 };
    for (const [, what, labels, count] of text.matchAll(isCount)) {
      t.match(labels, 'upstream="vault"');
      sum[what as 'requests' | 'logins'] += Number(count);
    }
    return sum;
  };
  await waitFor('the same counts', async () => (await counted()).requests === vault.requests.length);
  t.equal((await counted()).logins, vault.count('auth/approle/login'));
  t.ok(vault.requests.length >= 8, `${vault.requests.length} requests of seven kinds`);
});

for (const [concurrency, atOnce] of [
  [64, 40],
  [8, 8],
] as const) {
  t.test(`budget.concurrency ${concurrency}: ${atOnce} of 40 reads are under way at once`, async (t) => {
    const names = Array.from({ length: 40 }, (_, index) => `x${index}`);
    const { vault, agent } = await start(
      t,
      { secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}` }])) },
      { budget: { concurrency, requests_per_second: 1000 }, events: false },
    );
    const open = new Set<ServerResponse>();
    let peak = 0;
    let isHolding = true;
    const answer = (response: ServerResponse) => response.end(JSON.stringify(kv2({ a: '1' })));
    vault.route(({ path }) => {
      if (!path.startsWith('secret/data/')) return undefined;
      return (response) => {
        if (isHolding) open.add(response);
        else answer(response);
        peak = Math.max(peak, open.size);
      };
    });
    await waitFor('the reads', () => open.size >= atOnce);
    isHolding = false;
    for (const response of open) answer(response);
    await agent.untilReady();
    t.equal(peak, atOnce);
  });
}

t.test('a caller whose request meets a quota is told how long to wait, as the server told it', async (t) => {
  const { vault, agent } = await start(t, {
    listeners: [{ unix: 'latchkey.sock', serve: ['vault', 'admin'] }],
  });
  vault.route(({ path }) =>
    path.startsWith('secret/data/')
      ? {
          status: 429,
          json: { errors: ['request path "secret/data/x": rate limit quota exceeded'] },
          headers: { 'retry-after': '17', 'x-ratelimit-limit': '3', 'x-ratelimit-remaining': '0' },
        }
      : undefined,
  );
  await agent.untilReady();
  const told = { 'retry-after': '17', 'x-ratelimit-limit': '3', 'x-ratelimit-remaining': '0' };
  for (const method of ['GET', 'PUT']) {
    const answer = await agent.ask('/v1/secret/data/x', {
      method,
      ...(method === 'PUT' ? { body: '{}' } : {}),
    });
    t.match(answer, { status: 429, headers: told }, method);
  }
});
