// The gate to an upstream as the whole agent uses it: what the metrics count is what the vault got, and the limits of the
// config are the limits of the requests.
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { startAgent } from '../support/cli.ts';
import { kv2, type StubAnswer, startStubVault } from '../support/stub-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { onceWithin, waitFor } from '../support/wait-for.ts';

const approle = { method: 'approle', role_id: 'r' };
const isCount = /^latchkey_upstream_(requests|logins)_total\{(.*)\} (\d+)$/gm;

async function start(t: Test, config: Record<string, unknown>, upstream: Record<string, unknown> = {}) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const agent = startAgent(t, {
    folder: testFolder(t),
    vault: { address: vault.address, rootToken: '' },
    upstream: { auth: approle, ...upstream },
    config,
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
  // What the agent itself is told it counts down from.
  const told = { 'retry-after': /^1\d$/, 'x-ratelimit-limit': '3', 'x-ratelimit-remaining': '0' };
  for (const method of ['GET', 'PUT']) {
    const answer = await agent.ask('/v1/secret/data/x', {
      method,
      ...(method === 'PUT' ? { body: '{}' } : {}),
    });
    t.match(answer, { status: 429, headers: told }, method);
  }
});

/** What comes in place of an answer, and what a caller gets for it. */
function oddAnswers(address: string): Record<string, { is: RegExp; by: StubAnswer }> {
  const good = JSON.stringify(kv2({ a: '1' }));
  const page = '<html>moved</html>'.repeat(5000);
  const to = (status: number, location: string) => ({ status, headers: { location }, text: page });
  return {
    gzip: {
      is: /^502$/,
      by(response) {
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
        response.end(gzipSync(good));
      },
    },
    hints: {
      is: /^200$/,
      by(response) {
        response.writeEarlyHints({ link: '</a>; rel=preload' });
        response.end(good);
      },
    },
    moved: { is: /^200$/, by: to(301, `${address}/v1/odd/hints`) },
    elsewhere: { is: /^502$/, by: to(302, 'https://login.example/x') },
    large: { is: /^403$/, by: { status: 403, json: { errors: [page] } } },
    page: { is: /^50[23]$/, by: { status: 503, headers: { 'content-type': 'text/html' }, text: page } },
    standby: { is: /^50[23]$/, by: to(307, 'https://login.example/x') },
    circle: { is: /^50[23]$/, by: to(307, `${address}/v1/odd/circle`) },
    proceed: {
      is: /^50[23]$/,
      by(response) {
        response.writeContinue();
        response.end(good);
      },
    },
  };
}

t.test(
  'whatever comes to a caller in place of an answer, the agent lives and serves the next one',
  async (t) => {
    const { vault, agent } = await start(t, {
      listeners: [{ unix: 'latchkey.sock', serve: ['vault', 'admin'] }],
    });
    const odd = oddAnswers(vault.address);
    vault.route(({ path }) => odd[path.replace(/^odd\//, '')]?.by);
    await agent.untilReady();
    for (const [name, { is }] of Object.entries(odd)) {
      // Where the upstream counts as away for it, one is enough.
      for (const method of is.test('503') ? ['PUT'] : ['GET', 'PUT', 'LIST']) {
        await waitFor('the upstream serves', async () => (await agent.ask('/v1/odd/hints')).status === 200);
        const body = method === 'PUT' ? { body: '{"a":1}' } : {};
        const { status, text } = await agent.ask(`/v1/odd/${name}`, { method, ...body });
        t.match(String(status), is, `${method} ${name}: ${text.slice(0, 200)}`);
      }
    }
    await agent.untilReady();
  },
);

const refusals = [
  { name: 'a quota', status: 429, json: { errors: ['too many'] }, headers: { 'retry-after': '2' } },
  { name: 'a fault of its method', status: 500, json: { errors: ['1 error occurred: no database'] } },
  { name: 'a wrong credential', status: 400, json: { errors: ['invalid role or secret ID'] } },
  { name: 'an answer that is none', status: 200, text: '<html>hello</html>' },
] as const;

for (const { name, ...refusal } of refusals) {
  t.test(`secrets that wait for a login go at once when it succeeds, late because of ${name}`, (t) =>
    onceWithin(900, () => untilRead(t, refusal), 4),
  );
}

/** How many milliseconds after its late login all secrets of an agent are asked for. */
async function untilRead(t: Test, refusal: StubAnswer): Promise<number> {
  const names = Array.from({ length: 10 }, (_, index) => `s${index}`);
  const vault = await startStubVault();
  t.teardown(vault.close);
  let isLate = true;
  vault.route(({ path }) => {
    if (isLate && path.startsWith('auth/approle/login')) return refusal;
    return path.startsWith('secret/data/s') ? { json: kv2({ a: '1' }) } : undefined;
  });
  const reads = () => vault.requests.filter(({ path }) => path.startsWith('secret/data/s')).length;
  const agent = startAgent(t, {
    folder: testFolder(t),
    vault: { address: vault.address, rootToken: '' },
    config: {
      upstreams: {
        vault: { address: vault.address, auth: { ...approle, min_backoff: '5s' }, events: false },
      },
      secrets: Object.fromEntries(names.map((one) => [one, { path: `secret/${one}` }])),
    },
  });
  await waitFor('a refused login', () => vault.count('auth/approle/login') > 0);
  await waitFor('secrets that wait', async () => {
    const answer = await agent.ask('/status').catch(() => undefined);
    const { secrets = [] } = JSON.parse(answer?.text ?? '{}') as { secrets?: { error: unknown }[] };
    return secrets.length === 10 && secrets.every(({ error }) => error !== null);
  });
  isLate = false;
  const before = vault.count('auth/approle/login');
  await waitFor('a login', () => vault.count('auth/approle/login') > before);
  const at = Date.now();
  await waitFor('the secrets', () => reads() >= 10);
  const tookMs = Date.now() - at;
  await agent.stop();
  return tookMs;
}
