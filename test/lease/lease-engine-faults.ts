import t from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { unavailable } from '../support/fake-upstream.ts';
import { createLeaseHarness } from '../support/lease-harness.ts';
import { recordLogs } from '../support/record-logs.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const creds = 'database/creds/app';

t.test('sends one request probing an upstream that is away, and none of the others retries', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  const entries = Array.from({ length: 50 }, (_, index) => {
    upstream.setStatic(`secret/${index}`, 'x');
    return open(`secret/${index}`).entry;
  });
  engine.start();
  await clock.advance(minute);
  upstream.fault = () => unavailable();
  await clock.advance(30 * second);
  const before = upstream.requests.length;
  await clock.advance(10 * minute);
  const sent = upstream.requests.slice(before);
  t.ok(sent.length < 100, `${sent.length} requests in ten minutes`);
  t.ok(
    sent.every(({ operation }) => operation === 'probe'),
    'and all of them look whether it is back',
  );
  t.ok(entries.some(({ state }) => state === 'stale'));
  t.ok(entries.some(({ next }) => next?.why === 'waits for upstream vault to answer again'));
  upstream.fault = undefined;
  await clock.advance(90 * second);
  t.ok(
    entries.every(({ state }) => state === 'fresh'),
    'all fresh within the backoff cap and a refresh',
  );
  await close();
});

t.test(
  'while upstream is away every secret grows stale when its poll is due, and ends at max_stale',
  async (t) => {
    const { clock, upstream, engine, open, close } = createLeaseHarness();
    const entries = Array.from({ length: 20 }, (_, index) => {
      upstream.setStatic(`secret/${index}`, 'x');
      return open(`secret/${index}`, { refreshMs: 30 * second, maxStaleMs: 10 * minute }).entry;
    });
    engine.start();
    await clock.advance(minute);
    upstream.fault = () => unavailable();
    await clock.advance(minute);
    t.strictSame(new Set(entries.map(({ state }) => state)), new Set(['stale']));
    await clock.advance(10 * minute);
    t.strictSame(new Set(entries.map(({ state }) => state)), new Set(['expired']));
    await close();
  },
);

t.test('asks again as soon as upstream is found back', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'x');
  upstream.fault = () => new UpstreamError('upstream_sealed', 'sealed', { status: 503 });
  const { entry } = open('secret/a');
  engine.start();
  await clock.advance(20 * minute);
  t.match(entry, { state: 'pending', error: { code: 'upstream_sealed' } });
  upstream.fault = undefined;
  await clock.advance(15 * second);
  t.equal(entry.state, 'fresh');
  await close();
});

t.test('spreads what can wait when upstream is back, so that a fleet does not arrive at once', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  const refreshMs = 30 * second;
  for (let index = 0; index < 100; index += 1) {
    upstream.setStatic(`secret/${index}`, 'x');
    open(`secret/${index}`, { refreshMs });
  }
  engine.start();
  await clock.advance(minute);
  upstream.fault = () => new UpstreamError('upstream_sealed', 'sealed', { status: 503 });
  await clock.advance(10 * minute);
  upstream.fault = undefined;
  const reads = upstream.count('read');
  while (upstream.isAway?.() === true) await clock.advance(100);
  await clock.advance(3 * second);
  t.ok(upstream.count('read') - reads < 30, `${upstream.count('read') - reads} of 100 in a tenth of refresh`);
  await clock.advance(refreshMs);
  t.ok(upstream.count('read') - reads >= 100);
  await close();
});

t.test('logs once that a secret fails, and once that it is well again', async (t) => {
  const lines: string[] = [];
  const note = (_: object, message: string) => void lines.push(message);
  const logger = { ...silentLogger, info: note, warn: note };
  const { clock, upstream, engine, open, close } = createLeaseHarness({ logger });
  upstream.setStatic('secret/a', 'x');
  open('secret/a', { refreshMs: 30 * second });
  engine.start();
  await clock.advance(minute);
  upstream.fault = () => new UpstreamError('upstream_unavailable', 'internal error', { status: 500 });
  await clock.advance(10 * minute);
  t.same(lines, ['internal error']);
  upstream.fault = undefined;
  await clock.advance(10 * minute);
  t.same(lines, ['internal error', 'upstream answers for this secret again']);
  await close();
});

t.test('what hits all secrets of an upstream is one line for it, and one when it is over', async (t) => {
  const { logger, lines } = recordLogs();
  const { clock, upstream, engine, open, close } = createLeaseHarness({ logger });
  // As of a kind that cannot tell by itself that it is away, or of a login that is refused.
  Object.assign(upstream, { isAway: () => false });
  for (let index = 0; index < 200; index += 1) {
    upstream.setStatic(`secret/${index}`, 'x');
    open(`secret/${index}`, { refreshMs: 30 * second });
  }
  engine.start();
  await clock.advance(minute);
  const told = () => lines.filter(({ level }) => level === 'warn' || level === 'info');
  for (const round of [1, 2]) {
    lines.length = 0;
    upstream.fault = () => new UpstreamError('upstream_unavailable', 'no connection');
    await clock.advance(10 * minute);
    t.match(told(), [{ level: 'warn', fields: { code: 'upstream_unavailable' } }], `outage ${round}`);
    t.equal(told().length, 1);
    upstream.fault = undefined;
    await clock.advance(10 * minute);
    t.match(told()[1], { message: 'upstream answers for this secret again', fields: { others: 199 } });
    t.equal(told().length, 2);
  }
  lines.length = 0;
  upstream.fault = () => new UpstreamError('upstream_unavailable', 'internal error', { status: 500 });
  await clock.advance(10 * minute);
  t.equal(told().length, 200, 'what is about one path each is told of each');
  await close();
});

t.test('two hundred secrets that expire are a few lines', async (t) => {
  const { logger, lines } = recordLogs();
  const { clock, upstream, engine, open, close } = createLeaseHarness({ logger });
  Object.assign(upstream, { isAway: () => false });
  const entries = Array.from({ length: 200 }, (_, index) => {
    upstream.setStatic(`secret/${index}`, 'x');
    return open(`secret/${index}`, { refreshMs: 30 * second, maxStaleMs: 10 * minute, onStale: 'expire' })
      .entry;
  });
  engine.start();
  await clock.advance(minute);
  for (const round of [1, 2]) {
    lines.length = 0;
    upstream.fault = () => new UpstreamError('upstream_unavailable', 'no connection');
    await clock.advance(20 * minute);
    t.ok(entries.every(({ state }) => state === 'expired'));
    const told = lines.filter(({ level, message }) => level === 'warn' && message.includes('expired'));
    t.match(told[0]?.message, 'the secret has expired and is no longer handed out');
    t.strictSame(
      told.slice(1).map(({ fields }) => fields['expired']),
      [2, 4, 8, 16, 32, 64, 128],
      `outage ${round}`,
    );
    upstream.fault = undefined;
    await clock.advance(10 * minute);
  }
  await close();
});

t.test('one path that fails does not hold the others up', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'x');
  upstream.setLeased(creds, { ttlSeconds: 60 });
  upstream.fault = ({ target }) => (target === creds ? unavailable(500) : undefined);
  const healthy = open('secret/a', { refreshMs: 10 * second });
  const broken = open(creds);
  engine.start();
  await clock.advance(10 * minute);
  t.equal(healthy.entry.state, 'fresh');
  t.ok(upstream.count('read', 'secret/a') > 45);
  t.ok(upstream.count('read', creds) < 25, `${upstream.count('read', creds)} tries`);
  t.match(broken.entry, { state: 'pending', error: { code: 'upstream_unavailable' } });
  await close();
});

t.test('hands a lease out until it ends while upstream is away, and no longer', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  upstream.fault = () => new UpstreamError('upstream_sealed', 'sealed', { status: 503 });
  await clock.advance(598 * second);
  t.equal(entry.state, 'stale');
  t.ok(isCurrentAlive(entry));
  await clock.advance(2 * second);
  t.match(entry, { state: 'expired', current: undefined });
  upstream.fault = undefined;
  await clock.advance(66 * second);
  t.equal(entry.state, 'fresh', 'within the backoff cap');
  t.ok(isCurrentAlive(entry));
  await close();
});

t.test('keeps a secret that is gone upstream until max_stale, and says why', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness({ canCheck: true });
  upstream.setStatic('secret/a', 'one');
  const { entry } = open('secret/a', { refreshMs: 10 * second, maxStaleMs: 5 * minute });
  engine.start();
  await clock.advance(second);
  upstream.remove('secret/a');
  await clock.advance(minute);
  t.match(entry, { state: 'removed', error: { code: 'not_found' }, next: { why: /no such secret/ } });
  t.equal(shown(entry), 'one');
  await clock.advance(5 * minute);
  t.match(entry, { state: 'expired', current: undefined });
  upstream.setStatic('secret/a', 'back');
  await clock.advance(15 * second);
  t.equal(shown(entry), 'back');
  await close();
});

t.test('keeps a value for ever where that is wished', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  const { entry } = open('secret/a', { maxStaleMs: minute, onStale: 'keep' });
  engine.start();
  await clock.advance(second);
  upstream.fault = () => unavailable();
  await clock.advance(72 * hour);
  t.equal(entry.state, 'stale');
  t.equal(shown(entry), 'one');
  await close();
});

t.test('leaves an upstream alone for as long as it asks', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  upstream.fault = () =>
    new UpstreamError('upstream_rate_limited', 'slow', { status: 429, retryAfterMs: 90 * second });
  open('secret/a');
  engine.start();
  await clock.advance(89 * second);
  t.equal(upstream.requests.length, 1);
  await clock.advance(60 * second);
  t.equal(upstream.requests.length, 2);
  await close();
});

t.test('never mints in a loop when renewals fail', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 24 * 3600 });
  upstream.fault = ({ operation }) => (operation === 'renew' ? unavailable(500) : undefined);
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  for (let round = 0; round < 24 * 60; round += 1) {
    await clock.advance(minute);
    if (!isCurrentAlive(entry)) t.fail(`dead at minute ${round}`);
  }
  t.ok(upstream.mints(creds).length <= 30, `${upstream.mints(creds).length} mints in a day`);
  await close();
});

t.test('replaces a lease whose renewal is denied, with one credential a life', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  upstream.fault = ({ operation }) =>
    operation === 'renew' ? new UpstreamError('denied', 'no', { status: 403 }) : undefined;
  const { entry } = open(creds);
  engine.start();
  await clock.advance(10 * hour);
  t.ok(isCurrentAlive(entry));
  t.equal(entry.state, 'fresh');
  t.ok(upstream.mints(creds).length <= 13, `${upstream.mints(creds).length} mints`);
  t.ok(upstream.count('renew') <= 13, 'one try a lease');
  await close();
});

for (const [what, error] of [
  ['cannot be understood', () => new UpstreamError('upstream_answer_invalid', 'not JSON')],
  ['is lost on its way', () => unavailable()],
] as const) {
  t.test(`holds the mint floor when the answer ${what}`, async (t) => {
    const { clock, upstream, engine, open, close } = createLeaseHarness();
    upstream.setLeased(creds, { ttlSeconds: 3600, isRenewable: false });
    const { entry } = open(creds);
    engine.start();
    await clock.advance(second);
    upstream.lose = ({ operation }) => (operation === 'read' ? error() : undefined);
    await clock.advance(3 * hour);
    const times = upstream.mints(creds).map(({ mintedAt }) => mintedAt);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    t.ok(times.length > 20);
    t.ok(Math.min(...gaps) >= minute, `${Math.min(...gaps)} ms between two`);
    t.equal(entry.state, 'expired');
    upstream.lose = undefined;
    await clock.advance(2 * minute);
    t.equal(entry.state, 'fresh');
    await close();
  });
}

t.test('holds the mint floor when somebody revokes each lease at once', async (t) => {
  const { clock, upstream, engine, open, during, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 1200 });
  const { key, entry } = open(creds);
  engine.start();
  for (let round = 0; round < 600; round += 1) {
    await clock.advance(second);
    upstream.revokeElsewhere(entry.current?.lease?.id ?? '');
    await during(engine.refresh([key]), 10);
  }
  t.ok(upstream.mints(creds).length <= 11, `${upstream.mints(creds).length} mints in ten minutes`);
  await close();
});

t.test('asks at once after the host slept, and takes what lives on', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 24 * 3600 });
  upstream.setStatic('secret/a', 'one');
  const leased = open(creds);
  const fixed = open('secret/a', { refreshMs: hour });
  engine.start();
  await clock.advance(5 * minute);
  const id = leased.entry.current?.lease?.id;
  clock.jumpWall(20 * hour);
  await clock.advance(10 * second);
  t.equal(upstream.count('renew'), 1);
  t.equal(upstream.count('read', 'secret/a'), 2);
  t.match(leased.entry, { state: 'fresh', current: { lease: { id } } });
  t.ok((leased.entry.expiresAt ?? 0) - clock.wall() > 23 * hour, 'the end is told in the new time');
  t.equal(fixed.entry.state, 'fresh');
  await close();
});

t.test('renews a lease that would have ended, had the host slept and not its clock been set', async (t) => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const { clock, upstream, engine, open, close } = createLeaseHarness({ logger });
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(5 * minute);
  clock.jumpWall(30 * hour);
  await clock.advance(10 * second);
  t.equal(upstream.count('renew'), 1);
  t.equal(upstream.mints(creds).length, 1);
  t.equal(entry.state, 'fresh');
  t.same(warnings, []);
  await close();
});

for (const [what, passed, mints] of [
  ['a clock that was set on makes nothing again', async () => 0, 1],
  ['a certificate that ended while the host slept is made again', async () => 2 * hour, 2],
  ['nor is time held to stand still where upstream cannot tell', async () => undefined, 2],
  ['or where it does not answer', () => Promise.reject(unavailable()), 2],
  ['or not in time', () => new Promise<number>(() => {}), 2],
] as const) {
  t.test(what, async (t) => {
    const { clock, upstream, engine, open, close } = createLeaseHarness();
    Object.assign(upstream, { passedMs: passed });
    upstream.setCertificate('pki/issue/web', { ttlSeconds: 3600 });
    upstream.setLeased(creds, { ttlSeconds: 3600 });
    const { entry } = open('pki/issue/web');
    open(creds);
    engine.start();
    await clock.advance(5 * minute);
    clock.jumpWall(2 * hour);
    await clock.advance(20 * second);
    t.equal(upstream.count('read', 'pki/issue/web'), mints);
    t.equal(upstream.count('renew'), mints - 1);
    t.equal(entry.state, 'fresh');
    await close();
  });
}

t.test('replaces what ended while the host slept', async (t) => {
  let slept = 0;
  const first = createLeaseHarness();
  const { clock, upstream, engine, open, isCurrentAlive, close } = first;
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(5 * minute);
  for (const lease of upstream.issued.values()) upstream.revokeElsewhere(lease.id);
  slept += 2 * hour;
  clock.jumpWall(slept);
  await clock.advance(10 * second);
  t.ok(isCurrentAlive(entry));
  t.equal(entry.state, 'fresh');
  await close();
});

t.test('tells the end in the new time when the clock was set back, and asks nothing', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(minute);
  const isLeft = (left: number) => t.ok(left > 58 * minute && left <= hour, `${left}`);
  clock.jumpWall(-hour);
  const wall = engine.wall();
  isLeft((entry.expiresAt ?? 0) - wall);
  clock.jumpWall(-hour);
  await clock.advance(10 * second);
  isLeft((entry.expiresAt ?? 0) - clock.wall());
  t.equal(upstream.requests.length, 1);
  await close();
});

t.test('does not hand a doubtful lease out for long while upstream is away', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  upstream.setStatic('secret/a', 'x');
  open('secret/a', { refreshMs: second });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(5 * minute);
  upstream.fault = () => unavailable();
  await clock.advance(5 * minute);
  clock.jumpWall(2 * hour);
  await clock.advance(20 * second);
  t.match(entry, { state: 'expired', current: undefined });
  await close();
});

t.test('closes in under two seconds when upstream hangs, and leaves no timer', async (t) => {
  const { clock, upstream, engine, open } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  upstream.setStatic('secret/a', 'x');
  open(creds);
  engine.start();
  await clock.advance(second);
  upstream.latencyMs = hour;
  open('secret/a');
  await clock.advance(second);
  const closing = engine.close({ signal: new AbortController().signal });
  await clock.advance(1600);
  await closing;
  t.match([...engine.leases()], [{ state: 'current' }], 'what could not be revoked is told');
  t.equal(clock.pending, 0);
});

t.test('closes at once when it is told to', async (t) => {
  const { clock, upstream, engine, open } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  open(creds);
  upstream.latencyMs = hour;
  engine.start();
  await clock.advance(second);
  const deadline = new AbortController();
  const closing = engine.close({ signal: deadline.signal });
  deadline.abort(new Error('time is up'));
  await closing;
  t.equal(clock.pending, 0);
});

t.test('waits for a credential that is being made, and revokes it', async (t) => {
  const { clock, upstream, engine, open } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  open(creds);
  upstream.latencyMs = 300;
  engine.start();
  await clock.advance(100);
  const closing = engine.close({ signal: new AbortController().signal });
  await clock.advance(second);
  await closing;
  t.equal(upstream.mints(creds).length, 1);
  t.notOk(upstream.mints(creds).some(({ id }) => upstream.isAlive(id)));
});

t.test('closes at once when upstream is away', async (t) => {
  const { clock, upstream, engine, open } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  open(creds);
  engine.start();
  await clock.advance(second);
  upstream.fault = () => unavailable();
  const closing = engine.close({ signal: new AbortController().signal });
  await clock.advance(second);
  await closing;
  t.equal([...engine.leases()].length, 1);
});
