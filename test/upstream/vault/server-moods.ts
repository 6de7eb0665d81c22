import { createServer, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { createReference } from '../../../src/store/reference.ts';
import type { SourceStateName } from '../../../src/upstream/source-state.ts';
import { createFastClock } from '../../support/fast-clock.ts';
import { kv2, type StubAnswer, type StubVault, startStubVault } from '../../support/stub-vault.ts';
import { createTestUpstream, interactive, shutdown } from '../../support/test-upstream.ts';
import { waitFor } from '../../support/wait-for.ts';

const reference = createReference({ upstream: 'vault', path: 'secret/app' });
const patience = () => AbortSignal.timeout(60_000);

/** A vault that serves one secret until `mood` says otherwise for everything. */
async function startMoody(t: Test) {
  const vault = await startStubVault();
  t.teardown(vault.close);
  const moody = { vault, mood: undefined as ((path: string) => StubAnswer) | undefined };
  vault.route((request) => {
    const answer = moody.mood?.(request.path);
    if (answer !== undefined) return answer;
    return request.path === 'secret/data/app' ? { json: kv2({ password: 'p' }) } : undefined;
  });
  return moody;
}

async function startUpstream(t: Test, addresses: readonly string[], over: object = {}) {
  const made = createTestUpstream({ config: { addresses, ...over }, clock: createFastClock(10) });
  t.teardown(() => made.upstream.close(shutdown));
  made.upstream.start();
  return made;
}

const json = (status: number, ...errors: string[]) => ({ status, json: { errors } });

interface Mood {
  name: string;
  answer(path: string): StubAnswer;
  state: SourceStateName;
  code: string;
  message: RegExp;
  /** Requests fail at once and only the health poll asks. */
  isAway: boolean;
}

const healthOf = (status: number, body: object) => (path: string) =>
  path === 'sys/health' ? { status, json: body } : undefined;

const moods: Mood[] = [
  {
    name: 'sealed',
    answer: (path) =>
      healthOf(503, { initialized: true, sealed: true })(path) ?? json(503, 'Vault is sealed'),
    state: 'sealed',
    code: 'upstream_sealed',
    message: /is sealed/,
    isAway: true,
  },
  {
    name: 'not initialised',
    answer: (path) =>
      healthOf(501, { initialized: false, sealed: true })(path) ?? json(503, 'server is not yet initialized'),
    state: 'uninitialized',
    code: 'upstream_sealed',
    message: /not initialised/,
    isAway: true,
  },
  {
    name: 'a standby without an active node',
    answer: (path) =>
      healthOf(472, {})(path) ?? json(500, 'local node not active but active cluster node not found'),
    state: 'standby',
    code: 'upstream_unavailable',
    message: /standby/,
    isAway: true,
  },
  {
    name: 'a load balancer without servers',
    answer: () => ({ status: 503, text: '<html>no server is available</html>' }),
    state: 'unavailable',
    code: 'upstream_unavailable',
    message: /answers 503 and no vault behind it/,
    isAway: true,
  },
  {
    name: 'malformed JSON',
    answer: (path) => (path.startsWith('secret/') ? { text: '{"data": {"password": "canary' } : undefined),
    state: 'answer_invalid',
    code: 'upstream_answer_invalid',
    message: /without valid JSON/,
    isAway: false,
  },
  {
    name: 'a page instead of JSON',
    answer: (path) =>
      path.startsWith('secret/') ? { text: '<html>sign in to the hotel</html>' } : undefined,
    state: 'answer_invalid',
    code: 'upstream_answer_invalid',
    message: /without valid JSON/,
    isAway: false,
  },
];

t.test('an oversized answer concerns its path alone', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  moody.mood = (path) =>
    path.startsWith('secret/') ? { text: JSON.stringify({ a: 'x'.repeat(2 << 20) }) } : undefined;
  await t.rejects(upstream.read(reference, interactive()), {
    code: 'upstream_answer_invalid',
    message: /larger than 1048576 bytes/,
  });
  t.match(upstream.status(), { state: 'ready', message: undefined });
});

t.test('an answer that is too much to go through is refused before it is parsed', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 20_000 });
  await upstream.ready(patience());
  const members = (count: number) => Array.from({ length: count }, (_, index) => `"k${index}":1`).join(',');
  for (const [text, message] of [
    [`{"data":{${members(30_000)}}}`, /the answer of http\S+ has an object of more than 20000 keys$/],
    [`{"data":${'['.repeat(5000)}${']'.repeat(5000)}}`, /is nested more than 200 deep/],
    [`{"data":[${'1,'.repeat(200_000)}1]}`, /has more than 100000 values/],
  ] as const) {
    moody.mood = (path) => (path.startsWith('secret/') ? { text } : undefined);
    await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_answer_invalid', message });
  }
  t.match(upstream.status(), { state: 'ready', message: undefined });
});

for (const mood of moods) {
  t.test(`${mood.name}: fails with a state of its own, and recovers by itself`, async (t) => {
    const moody = await startMoody(t);
    const { vault } = moody;
    const { upstream, logs } = await startUpstream(t, [vault.address], { timeoutMs: 600_000 });
    await upstream.ready(patience());
    await upstream.read(reference, interactive());
    const states: string[] = [];
    upstream.listen({ status: ({ state }) => states.at(-1) !== state && states.push(state) });
    logs.lines.length = 0;

    moody.mood = mood.answer;
    await t.rejects(upstream.read(reference, interactive()), { code: mood.code, message: mood.message });
    t.equal(upstream.status().state, mood.state);
    t.match(upstream.status().message, mood.message);
    const asked = vault.count('secret/data/app');
    for (let index = 0; index < 20; index += 1) {
      await t.rejects(upstream.read(reference, interactive()), { code: mood.code });
    }
    if (mood.isAway) t.equal(vault.count('secret/data/app'), asked, 'nobody hammers it');
    t.notMatch(JSON.stringify([logs.lines, upstream.status()]), /canary|hotel/);

    moody.mood = undefined;
    if (mood.isAway) await waitFor('the recovery', () => upstream.status().state === 'ready');
    else await upstream.read(reference, interactive());
    t.equal(upstream.status().state, 'ready');
    t.same(states, [mood.state, 'ready']);
    t.equal(logs.lines.filter((line) => line.fields['state'] !== undefined).length, 2, 'one line a change');
    t.ok(await upstream.read(reference, interactive()));
    t.equal(vault.count('auth/approle/login'), 1, 'the token is still good');
  });
}

const limited = (headers: Record<string, string> = {}) => ({
  status: 429,
  json: { errors: ['rate limit quota exceeded'] },
  headers,
});

t.test('429: the path is left alone as long as Retry-After says, and all else goes on', async (t) => {
  const moody = await startMoody(t);
  const { vault } = moody;
  const { upstream, logs } = await startUpstream(t, [vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  logs.lines.length = 0;
  moody.mood = (path) => {
    if (path === 'secret/data/app') return limited({ 'retry-after': '30', 'x-ratelimit-limit': '5' });
    return path === 'secret/data/other' ? { json: kv2({}) } : undefined;
  };
  await t.rejects(upstream.read(reference, interactive()), {
    code: 'upstream_rate_limited',
    retryAfterMs: 30_000,
    status: 429,
    answerHeaders: { 'retry-after': '30', 'x-ratelimit-limit': '5' },
  });
  const asked = vault.count('secret/data/app');
  await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_rate_limited' });
  t.equal(vault.count('secret/data/app'), asked);
  t.match(upstream.status(), { state: 'ready', message: /limits the rate of requests at secret\/ for/ });
  const other = createReference({ upstream: 'vault', path: 'secret/other' });
  t.ok(await upstream.read(other, interactive()), 'another path of the mount');
  await upstream.leases.renew('lease/1', 60, interactive()).catch(() => {});
  t.equal(vault.count('sys/leases/renew'), 1, 'a renewal');
  const passed = await upstream.vault.forward({
    method: 'GET',
    path: '/v1/secret/data/app',
    query: '',
    headers: {},
    namespace: undefined,
    body: undefined,
    token: undefined,
    signal: AbortSignal.timeout(60_000),
  });
  t.match(passed, { status: 429, headers: { 'retry-after': '30', 'x-ratelimit-limit': '5' } });
  passed.body.resume();
  moody.mood = undefined;
  await waitFor('the end of the limit', async () => {
    const answer = await upstream.read(reference, interactive()).catch(() => undefined);
    return answer !== undefined;
  });
  t.equal(upstream.status().message, undefined);
  t.equal(logs.lines.filter(({ message }) => message.includes('rate of requests')).length, 1, 'one line');
});

t.test('what a caller is limited to holds nothing of the agent back', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  let isLimited = true;
  moody.mood = (path) =>
    path === 'secret/data/app' && isLimited ? limited({ 'retry-after': '60' }) : undefined;
  const passed = await upstream.vault.forward({
    method: 'GET',
    path: '/v1/secret/data/app',
    query: '',
    headers: {},
    namespace: undefined,
    body: undefined,
    token: 'auto',
    signal: AbortSignal.timeout(60_000),
  });
  t.equal(passed.status, 429);
  passed.body.resume();
  isLimited = false;
  t.ok(await upstream.read(reference, interactive()));
});

t.test('a login that is limited waits as long as it is told', async (t) => {
  const moody = await startMoody(t);
  let refused = 0;
  moody.mood = (path) => {
    if (!path.startsWith('auth/') || refused === 2) return undefined;
    refused += 1;
    return limited({ 'retry-after': '2' });
  };
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await waitFor('the state', () => upstream.status().state === 'rate_limited');
  await upstream.ready(patience());
  t.equal(moody.vault.count('auth/approle/login'), 3);
});

t.test('a standby and a performance standby take requests: their health counts as good', async (t) => {
  for (const status of [429, 473]) {
    const moody = await startMoody(t);
    const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
    await upstream.ready(patience());
    moody.mood = () => json(503, 'Vault is sealed');
    await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_sealed' });
    moody.mood = healthOf(status, { initialized: true, sealed: false, standby: true });
    await waitFor(`the recovery by ${status}`, () => upstream.status().state === 'ready');
    t.ok(await upstream.read(reference, interactive()));
  }
});

t.test(
  'a quota over all paths limits the look at the health too, and the vault counts as living',
  async (t) => {
    const moody = await startMoody(t);
    const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
    await upstream.ready(patience());
    moody.mood = () => json(503, 'Vault is sealed');
    await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_sealed' });
    moody.mood = () => limited({ 'retry-after': '60' });
    await waitFor('the recovery', () => upstream.status().state === 'ready');
    await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_rate_limited' });
    moody.mood = undefined;
    const other = createReference({ upstream: 'vault', path: 'kv1/other' });
    moody.mood = (path) => (path === 'kv1/other' ? { json: { data: { a: '1' } } } : undefined);
    t.ok(await upstream.read(other, interactive()));
  },
);

t.test('upstreams side by side have each its own identity and its own moods', async (t) => {
  const [one, two] = [await startMoody(t), await startMoody(t)];
  const first = await startUpstream(t, [one.vault.address], { name: 'one', namespace: 'a' });
  const second = await startUpstream(t, [two.vault.address], { name: 'two', namespace: 'b' });
  await Promise.all([first.upstream.ready(patience()), second.upstream.ready(patience())]);
  one.mood = () => json(503, 'Vault is sealed');
  await t.rejects(first.upstream.read(reference, interactive()), { code: 'upstream_sealed' });
  t.ok(await second.upstream.read(reference, interactive()));
  t.match(first.upstream.status(), { name: 'one', namespace: 'a', state: 'sealed' });
  t.match(second.upstream.status(), { name: 'two', namespace: 'b', state: 'ready' });
  t.ok(two.vault.requests.every((request) => request.headers['x-vault-namespace'] !== 'a'));
});

t.test('412: the node is behind and is asked again', async (t) => {
  const moody = await startMoody(t);
  let behind = 2;
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  moody.mood = (path) => {
    if (path !== 'secret/data/app' || behind === 0) return undefined;
    behind -= 1;
    return { status: 412, json: { errors: ['required index state not present'] } };
  };
  t.ok(await upstream.read(reference, interactive()));
  behind = 1000;
  await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_unavailable', status: 412 });
  t.ok(behind >= 990, 'but not for ever');
});

t.test('a 500 of one path does not concern the others', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  moody.mood = (path) =>
    path === 'database/creds/app' ? json(500, 'cannot connect to the database') : undefined;
  const credentials = createReference({ upstream: 'vault', path: 'database/creds/app' });
  await t.rejects(upstream.read(credentials, interactive()), {
    code: 'upstream_unavailable',
    status: 500,
    message: /failed with 500 \(cannot connect to the database\)/,
  });
  t.equal(upstream.status().state, 'ready');
  t.ok(await upstream.read(reference, interactive()));
});

t.test('404: no such secret, a deleted or destroyed one, and no such mount are told apart', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  const answers: [StubAnswer, string, RegExp, RegExp?][] = [
    [{ status: 404, json: { errors: [] } }, 'not_found', /no such secret/],
    [
      { status: 404, json: kv2(null, 1, { deletion_time: '2020-01-01T00:00:00Z' }) },
      'not_found',
      /this version is deleted$/,
      /undelete it, or write/,
    ],
    [
      { status: 404, json: kv2(null, 1, { destroyed: true }) },
      'not_found',
      /this version is destroyed$/,
      /^write a new version/,
    ],
    [
      json(404, 'no handler for route "secret/data/app". route entry not found.'),
      'mount_not_found',
      /nothing is mounted/,
    ],
    [json(404, 'namespace not found'), 'mount_not_found', /namespace not found/],
  ];
  for (const [answer, code, message, remedy = /./] of answers) {
    moody.mood = (path) => (path === 'secret/data/app' ? answer : undefined);
    await t.rejects(upstream.read(reference, interactive()), { code, message, remedy, status: 404 });
    t.equal(upstream.status().state, 'ready');
  }
});

t.test('slow and half-open servers end in a timeout, and then in a state', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 3000 });
  await upstream.ready(patience());
  moody.mood = () => () => {};
  await t.rejects(upstream.read(reference, interactive()), {
    code: 'upstream_unavailable',
    message: /no whole answer from .* within 3000 ms/,
  });
  await waitFor('the state', () => upstream.status().state === 'unavailable');
  moody.mood = undefined;
  await waitFor('the recovery', () => upstream.status().state === 'ready');
});

t.test('one slow request does not take the upstream away from the others', async (t) => {
  const moody = await startMoody(t);
  const { upstream, logs } = await startUpstream(t, [moody.vault.address], { timeoutMs: 2000 });
  await upstream.ready(patience());
  logs.lines.length = 0;
  moody.mood = (path) => (path === 'secret/data/app' ? () => {} : undefined);
  await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_unavailable' });
  await waitFor('the look at the health', () => moody.vault.count('sys/health') > 0);
  moody.mood = undefined;
  t.ok(await upstream.read(reference, interactive()));
  t.same(logs.lines, []);
});

t.test(
  'a kept connection that is closed under a request costs nobody anything, but where a request may make something',
  async (t) => {
    const moody = await startMoody(t);
    const { vault } = moody;
    const { upstream, logs } = await startUpstream(t, [vault.address], { timeoutMs: 600_000 });
    await upstream.ready(patience());
    await upstream.read(reference, interactive());
    logs.lines.length = 0;
    let cuts = 1;
    moody.mood = (path) => {
      if (!/^(?:secret|database|sys.leases)\//.test(path) || cuts === 0) return undefined;
      cuts -= 1;
      return (_, { socket }) => socket.destroy();
    };
    const before = vault.count('secret/data/app');
    t.ok(await upstream.read(reference, interactive()));
    t.equal(vault.count('secret/data/app') - before, 2);
    cuts = 1;
    await t.rejects(upstream.leases.renew('database/creds/app/1', 60, interactive()), { code: 'lease_lost' });
    t.equal(vault.count('sys/leases/renew'), 2);
    cuts = 2;
    await t.rejects(upstream.read(reference, interactive()), { message: /the connection broke/ }, 'but once');
    cuts = 1;
    const credentials = createReference({ upstream: 'vault', path: 'database/creds/app' });
    await t.rejects(upstream.read(credentials, interactive()), { message: /the connection broke/ });
    t.equal(vault.count('database/creds/app'), 1);
    await waitFor('its state', () => upstream.status().state === 'ready');
    t.same(logs.lines, []);
  },
);

t.test('a truncated answer is an error, never half a secret', async (t) => {
  const moody = await startMoody(t);
  const { upstream } = await startUpstream(t, [moody.vault.address], { timeoutMs: 600_000 });
  await upstream.ready(patience());
  moody.mood = (path) =>
    path === 'secret/data/app'
      ? (response) => {
          response.writeHead(200, { 'content-length': '1000' });
          response.write('{"data":{"data":{"password":"canary"');
          setImmediate(() => response.destroy());
        }
      : undefined;
  const error = await upstream.read(reference, interactive()).catch((reason: unknown) => reason);
  t.match(error, { code: 'upstream_unavailable', message: /the connection broke to/ });
  t.notMatch(String((error as Error).stack), 'canary');
});

t.test('what is not HTTP is told as such', async (t) => {
  const server = await listen((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
  t.teardown(() => server.close());
  const { upstream } = await startUpstream(t, [`http://127.0.0.1:${portOf(server)}`]);
  await waitFor('the state', () => upstream.status().state === 'answer_invalid');
  t.match(upstream.status().message, /is not HTTP as expected/);
});

t.test('http:// to a server that wants https:// is told as such', async (t) => {
  const moody = await startMoody(t);
  moody.mood = () => ({ status: 400, text: 'Client sent an HTTP request to an HTTPS server.\n' });
  const { upstream } = await startUpstream(t, [moody.vault.address]);
  await waitFor('the state', () => upstream.status().state === 'answer_invalid');
  t.match(upstream.status().message, /without valid JSON; use https:\/\/ in the address/);
});

t.test('a refused connection and an unknown name have states of their own', async (t) => {
  const server = await listen(() => {});
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  const refused = await startUpstream(t, [`http://127.0.0.1:${port}`]);
  const unknown = await startUpstream(t, ['http://vault.invalid:8200'], { timeoutMs: 100_000 });
  await waitFor('the refusal', () => refused.upstream.status().state === 'unavailable');
  t.match(refused.upstream.status().message, /nothing accepts connections at .*; check that the server runs/);
  await waitFor('the unknown name', () => unknown.upstream.status().state === 'dns_failed');
  t.match(unknown.upstream.status().message, /the name of http:\/\/vault.invalid:8200 cannot be resolved/);
});

t.test('a vault that is away at the start is waited for', async (t) => {
  const server = await listen(() => {});
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  const { upstream } = await startUpstream(t, [`http://127.0.0.1:${port}`]);
  await waitFor('the state', () => upstream.status().state === 'unavailable');
  await t.rejects(upstream.read(reference, interactive()), { code: 'upstream_unavailable' });
  const vault: StubVault = await startStubVault({ port });
  t.teardown(vault.close);
  await upstream.ready(patience());
  t.equal(upstream.status().state, 'ready');
});

async function listen(onConnection: Parameters<typeof createServer>[1]): Promise<Server> {
  const server = createServer(onConnection as never);
  server.on('connection', (socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
