import t from 'tap';
import type { Clock } from '../../src/base/time/clock.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { createReference } from '../../src/store/reference.ts';
import { createFakeUpstream, type FakeUpstream } from '../support/fake-upstream.ts';
import { createLeaseHarness } from '../support/lease-harness.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const creds = 'database/creds/app';

t.test('reads what the store opens, before and after its start', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  upstream.setStatic('secret/b', 'two');
  const early = open('secret/a');
  engine.start();
  const late = open('secret/b');
  await clock.advance(10);
  t.equal(shown(early.entry), 'one');
  t.equal(shown(late.entry), 'two');
  t.equal(early.entry.state, 'fresh');
  t.match(early.entry.next, { action: 'poll', why: /polled every refresh/ });
  t.equal(upstream.requests[0]?.priority, 'interactive', 'somebody waits for the first value');
  await close();
  t.equal(clock.pending, 0, 'leaves no timer behind');
});

t.test('a read may take as long as its upstream lets it: only `timeout` there ends it', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setStatic('secret/slow', 'one');
  upstream.latencyMs = 10 * minute;
  const slow = open('secret/slow');
  engine.start();
  await clock.advance(11 * minute);
  t.equal(shown(slow.entry), 'one');
  await close();
});

t.test('polls a static secret by its version where upstream can tell', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness({ canCheck: true });
  upstream.setStatic('secret/a', 'one');
  const { entry } = open('secret/a', { refreshMs: 30 * second });
  engine.start();
  await clock.advance(10 * minute);
  t.equal(upstream.count('read'), 1);
  const times = upstream.requests.filter(({ operation }) => operation === 'check').map(({ at }) => at);
  t.ok(times.length >= 16 && times.length <= 26, `${times.length} checks`);
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  t.ok(gaps.every((gap) => gap >= 24 * second - 50 && gap <= 36 * second + 50));
  upstream.setStatic('secret/a', 'two');
  await clock.advance(37 * second);
  t.equal(shown(entry), 'two');
  t.equal(upstream.requests.at(-1)?.priority, 'background');
  await close();
});

t.test(
  'numbers a version again when upstream has written equal data, and changes nothing else',
  async (t) => {
    const { clock, upstream, store, engine, open, close } = createLeaseHarness({ canCheck: true });
    upstream.setStatic('secret/a', 'one');
    const { entry } = open('secret/a');
    let changes = 0;
    store.listen({ changed: () => (changes += 1) });
    engine.start();
    await clock.advance(second);
    upstream.setStatic('secret/a', 'one');
    await clock.advance(5 * minute);
    t.equal(changes, 1);
    t.match(entry.current, { number: 1, versionId: '2' });
    t.equal(upstream.count('read'), 2, 'and does not read it at each poll from then on');
    await close();
  },
);

t.test('asks once for two spellings of one secret, and mirrors to both', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  const plain = open('secret/a');
  engine.start();
  await clock.advance(10);
  const spelled = open('secret/data/a');
  await clock.advance(10);
  t.equal(upstream.count('read'), 1);
  t.equal(shown(spelled.entry), 'one');
  upstream.setStatic('secret/a', 'two');
  await clock.advance(40 * second);
  t.equal(shown(plain.entry), 'two');
  t.equal(shown(spelled.entry), 'two');
  await close();
});

t.test('joins two spellings when the first reads have told that they are one', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  let isKnown = false;
  const { canonicalKey } = upstream;
  upstream.canonicalKey = (reference) => (isKnown ? canonicalKey(reference) : reference.path);
  upstream.setStatic('secret/a', 'one');
  const plain = open('secret/a');
  const spelled = open('secret/data/a');
  engine.start();
  upstream.latencyMs = 10;
  await clock.advance(5);
  isKnown = true;
  await clock.advance(second);
  t.equal(upstream.count('read'), 2);
  t.equal(shown(plain.entry), 'one');
  t.equal(shown(spelled.entry), 'one');
  await clock.advance(10 * minute);
  t.ok(upstream.count('read') < 30, `${upstream.count('read')} reads: one schedule`);
  plain.close();
  upstream.setStatic('secret/a', 'two');
  await clock.advance(40 * second);
  t.equal(shown(spelled.entry), 'two');
  await close();
});

for (const [first, other] of [
  ['secret/a', 'secret/data/a'],
  ['secret/data/a', 'secret/a'],
] as const) {
  t.test(`the shorter refresh counts when ${first} and ${other} turn out to be one`, async (t) => {
    const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
    let isKnown = false;
    const { canonicalKey } = upstream;
    upstream.canonicalKey = (reference) => (isKnown ? canonicalKey(reference) : reference.path);
    upstream.setStatic('secret/a', 'one');
    upstream.latencyMs = 10;
    const seldom = open(first, { refreshMs: 10 * minute });
    const often = open(other, { refreshMs: second });
    engine.start();
    await clock.advance(5);
    isKnown = true;
    await clock.advance(second);
    t.ok(seldom.entry.next, 'both have a plan');
    t.ok(often.entry.next);
    upstream.setStatic('secret/a', 'two');
    await clock.advance(2 * second);
    t.equal(shown(seldom.entry), 'two');
    t.equal(shown(often.entry), 'two');
    await close();
  });
}

t.test('an asked refresh reads static secrets, and mints only where that is asked by name', async (t) => {
  const { clock, upstream, engine, open, during, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  upstream.setLeased(creds, { ttlSeconds: 3600, isRenewable: false });
  const fixed = open('secret/a');
  const leased = open(creds);
  engine.start();
  await clock.advance(5 * minute);
  upstream.setStatic('secret/a', 'two');
  t.same(await during(engine.refresh(), 100), [
    { key: fixed.key, outcome: 'changed' },
    { key: leased.key, outcome: 'same' },
  ]);
  t.same(await during(engine.refresh(undefined, { replace: true }), 100), [
    { key: fixed.key, outcome: 'same' },
    { key: leased.key, outcome: 'same' },
  ]);
  t.match(await during(engine.refresh([leased.key, 'nothing'], { replace: true }), 100), [
    { key: leased.key, outcome: 'changed' },
    { key: 'nothing', outcome: 'failed', error: { code: 'not_found' } },
  ]);
  t.match(await during(engine.refresh([leased.key], { replace: true }), 100), [
    {
      outcome: 'failed',
      error: { code: 'upstream_rate_limited', message: /a credential was made here a moment ago/ },
    },
  ]);
  t.equal(upstream.mints(creds).length, 2);
  await close();
});

t.test('whoever asks during a request shares the next one', async (t) => {
  const { clock, upstream, engine, open, shown, during, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  const { key, entry } = open('secret/a');
  engine.start();
  await clock.advance(second);
  upstream.latencyMs = 1000;
  const early = engine.refresh([key]);
  await clock.advance(990);
  const late = [engine.refresh([key]), engine.refresh([key])];
  await clock.advance(20);
  upstream.setStatic('secret/a', 'two');
  t.match(await during(early), [{ outcome: 'same' }]);
  t.match(await during(Promise.all(late)), [[{ outcome: 'changed' }], [{ outcome: 'changed' }]]);
  t.equal(shown(entry), 'two');
  t.equal(upstream.count('read'), 3);
  t.equal(upstream.doubled, 0);
  await close();
});

t.test('stops waiting for a refresh when the signal comes, and lets the request go on', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  const { key, entry } = open('secret/a');
  upstream.latencyMs = 1000;
  engine.start();
  const controller = new AbortController();
  const waiting = engine.refresh([key], { signal: controller.signal });
  controller.abort(new Error('gone'));
  await t.rejects(waiting, { message: 'gone' });
  await clock.advance(5 * second);
  t.equal(entry.state, 'fresh');
  await close();
});

t.test('an event has the entries of its path read within a second, and leases left alone', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open('secret/a', { refreshMs: hour });
  open(creds);
  engine.start();
  await clock.advance(second);
  upstream.setStatic('secret/a', 'two');
  engine.changedUpstream('vault', 'secret/data/a');
  engine.changedUpstream('vault', creds);
  await clock.advance(500);
  t.equal(shown(entry), 'two');
  t.equal(upstream.count('read'), 3);
  t.equal(upstream.count('renew'), 0);
  await close();
});

t.test('reads a static role just after its rotation, again until the value has changed', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setRotating('database/static-creds/app', { periodSeconds: 600, lateMs: 8000 });
  const { entry } = open('database/static-creds/app', { refreshMs: hour });
  engine.start();
  await clock.advance(599 * second);
  t.equal(shown(entry), 'password 0');
  t.equal(upstream.count('read'), 1);
  await clock.advance(9 * second);
  const early = upstream.count('read');
  t.ok(early >= 10 && early <= 30, `${early} reads while the rotation is late`);
  await clock.advance(7 * second);
  t.equal(shown(entry), 'password 1');
  const found = upstream.count('read');
  await clock.advance(500 * second);
  t.equal(upstream.count('read'), found, 'then it rests until the next one');
  await close();
});

for (const restartsTtl of [false, true]) {
  t.test(
    `a rotated password is here within 0.7 s, ${restartsTtl ? 'though its ttl began before' : 'with its ttl'}`,
    async (t) => {
      const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
      const path = 'database/static-creds/cron';
      upstream.setRotating(path, { periodSeconds: 20, lateMs: 4000, restartsTtl });
      const { entry } = open(path, { refreshMs: 10 * minute });
      engine.start();
      await clock.advance(second);
      for (let period = 1; period <= 10; period += 1) {
        await clock.advance(20 * second * period + 4000 + 700 - clock.now());
        t.equal(shown(entry), `password ${period}`);
      }
      t.ok(upstream.count('read') < 20 * 10, `${upstream.count('read')} reads`);
      await close();
    },
  );
}

t.test('what a write issued without an end is never asked for again by itself', async (t) => {
  const { clock, upstream, engine, open, shown, during, close } = createLeaseHarness();
  upstream.setCertificate('transit/encrypt/app', { ttlSeconds: undefined });
  const { key, entry } = open('transit/encrypt/app');
  engine.start();
  await clock.advance(30 * 24 * hour);
  t.equal(upstream.count('read'), 1);
  t.equal(shown(entry), 'certificate 1');
  t.match(entry.next, { action: 'replace', at: Number.POSITIVE_INFINITY, why: /tells no end/ });
  t.match(await during(engine.refresh([key])), [{ outcome: 'same' }]);
  t.match(await during(engine.rotate([key])), [{ outcome: 'rotated' }]);
  t.match(await during(engine.refresh([key], { replace: true })), [{ outcome: 'failed' }], 'the floor holds');
  await close();
});

t.test('what a write issued is issued again at the interval that was asked for', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setCertificate('transit/encrypt/app', { ttlSeconds: undefined });
  open('transit/encrypt/app', { statedRefreshMs: hour });
  engine.start();
  await clock.advance(10 * hour);
  const reads = upstream.count('read');
  t.ok(reads >= 10 && reads <= 12, `${reads} reads`);
  await close();
});

t.test('replaces a certificate at a share of its life and never polls it', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setCertificate('pki/issue/web', { ttlSeconds: 24 * 3600 });
  const { entry } = open('pki/issue/web');
  engine.start();
  await clock.advance(16 * hour);
  t.equal(shown(entry), 'certificate 1');
  t.equal(upstream.count('read'), 1);
  await clock.advance(5 * hour);
  t.equal(shown(entry), 'certificate 2');
  await close();
});

t.test('a shorter wish for an open entry counts at once', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  const { entry } = open('secret/a', { refreshMs: hour });
  engine.start();
  await clock.advance(minute);
  const impatient = open('secret/a', { refreshMs: 5 * second });
  upstream.setStatic('secret/a', 'two');
  await clock.advance(7 * second);
  t.equal(shown(entry), 'two');
  impatient.close();
  await clock.advance(hour);
  const before = upstream.count('read');
  await clock.advance(30 * minute);
  t.ok(upstream.count('read') - before <= 1, 'and not after it has gone');
  await close();
});

t.test('asks for what somebody waits for ahead of what the schedule wants', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness({ concurrency: 1 });
  for (let index = 0; index < 20; index += 1) {
    upstream.setStatic(`secret/${index}`, 'x');
    open(`secret/${index}`, { refreshMs: second });
  }
  engine.start();
  await clock.advance(minute);
  // From here on the polls alone are more than can be answered.
  upstream.latencyMs = 200;
  await clock.advance(10 * second);
  upstream.setStatic('secret/new', 'x');
  const { entry } = open('secret/new');
  await clock.advance(second);
  t.equal(entry.state, 'fresh');
  await close();
});

t.test('keeps a bound on what is in flight', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness({ concurrency: 4 });
  upstream.latencyMs = 100;
  for (let index = 0; index < 100; index += 1) {
    upstream.setStatic(`secret/${index}`, 'x');
    open(`secret/${index}`);
  }
  engine.start();
  await clock.advance(5 * second);
  t.equal(upstream.peakInFlight, 4);
  t.equal(upstream.count('read'), 100);
  await close();
});

t.test('names the upstream that a reload has taken away', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setStatic('secret/a', 'one');
  const { entry } = open('secret/a');
  engine.start();
  await clock.advance(second);
  engine.setUpstreams(new Map());
  await clock.advance(minute);
  t.match(entry, {
    state: 'stale',
    error: { code: 'config_invalid', message: /no upstream is named "vault"/ },
  });
  engine.setUpstreams(new Map([['vault', upstream]]));
  await clock.advance(100);
  t.equal(entry.state, 'fresh');
  await close();
});

t.test(
  'lets a refresh overtake the queue where the own poll of its secret waits in it already',
  async (t) => {
    const { clock, upstream, engine, open, during, close } = createLeaseHarness({ concurrency: 1 });
    const paths = Array.from({ length: 20 }, (_, index) => `secret/${index}`);
    for (const path of paths) upstream.setStatic(path, 'one');
    const handles = paths.map((path) => open(path, { refreshMs: 30 * second }));
    engine.start();
    await clock.advance(second);
    upstream.latencyMs = second;
    for (const path of paths) engine.changedUpstream('vault', path);
    await clock.advance(400);
    const [{ target = '' } = {}] = upstream.requests.slice(-1);
    const last = handles.findLast(({ entry }) => entry.reference.path !== target);
    const refreshed = engine.refresh([last?.entry.key ?? '']);
    const startedAt = clock.now();
    let endedAt = 0;
    await during(
      refreshed.then(() => (endedAt = clock.now())),
      30 * second,
    );
    t.ok(endedAt - startedAt <= 4 * second, `after ${endedAt - startedAt} ms, not behind 18 others of 1 s`);
    await close();
  },
);

t.test(
  'reads from an upstream that replaces another at once, also what has the same version there',
  async (t) => {
    const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
    const next = createFakeUpstream({ clock, name: 'vault' });
    // As the metadata of KV version 2: version 1 of this one is not version 1 of that one.
    for (const each of [upstream, next]) Object.assign(each, { isCurrent: async () => true });
    upstream.setStatic('secret/a', 'of the first');
    next.setStatic('secret/a', 'of the second');
    const { entry } = open('secret/a', { refreshMs: 60 * minute });
    engine.start();
    await clock.advance(second);
    t.equal(shown(entry), 'of the first');
    engine.setUpstreams(new Map([['vault', next]]));
    await clock.advance(second);
    t.equal(shown(entry), 'of the second');
    next.setStatic('secret/a', 'changed');
    await clock.advance(120 * minute);
    t.equal(shown(entry), 'of the second', 'from now on it is asked whether that still holds');
    t.equal(next.count('read'), 1);
    await close();
  },
);

t.test('asks an upstream that replaces another until it answers, whatever version it has', async (t) => {
  const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
  const next = createFakeUpstream({ clock, name: 'vault' });
  for (const each of [upstream, next]) Object.assign(each, { isCurrent: async () => true });
  upstream.setStatic('secret/a', 'of the first');
  next.setStatic('secret/a', 'of the second');
  next.fault = () => new UpstreamError('upstream_answer_invalid', 'not yet');
  const { entry } = open('secret/a');
  engine.start();
  await clock.advance(second);
  engine.setUpstreams(new Map([['vault', next]]));
  await clock.advance(second);
  t.equal(shown(entry), 'of the first');
  next.fault = undefined;
  await clock.advance(minute);
  t.equal(shown(entry), 'of the second');
  await close();
});

/** Its lease ids are others than those of the harness's upstream, as of any two vaults. */
async function replacement(clock: Clock): Promise<FakeUpstream> {
  const upstream = createFakeUpstream({ clock, name: 'vault' });
  upstream.setCertificate('pki/issue/app', { ttlSeconds: 60 });
  const reference = createReference({ upstream: 'vault', path: 'pki/issue/app' });
  await upstream.read(reference, { signal: new AbortController().signal, priority: 'background' });
  return upstream;
}

t.test(
  'keeps the leases of an upstream that another replaces, there, until their users have moved',
  async (t) => {
    const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
    const next = await replacement(clock);
    for (const each of [upstream, next]) each.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 86_400 });
    const { entry } = open(creds, { overlapMs: 0 });
    engine.start();
    await clock.advance(second);
    const first = entry.current?.lease?.id ?? '';
    engine.setUpstreams(new Map([['vault', next]]));
    t.ok(engine.isUsed(upstream));
    await clock.advance(20 * minute);
    t.ok(upstream.isAlive(first), 'nothing is minted for the change alone');
    t.equal(next.mints(creds).length, 0);
    await clock.advance(40 * minute);
    t.ok(next.isAlive(entry.current?.lease?.id ?? ''), 'replaced before its end, not renewed');
    t.strictSame([upstream.count('renew'), upstream.count('revoke', first)], [0, 1]);
    t.notOk(engine.isUsed(upstream));
    t.ok(engine.isUsed(next));
    t.notOk(isCurrentAlive(entry));
    await close();
    t.equal(next.count('revoke'), 1);
  },
);

t.test('mints within the floor where the token of a replaced upstream ends', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  const next = await replacement(clock);
  for (const each of [upstream, next]) each.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  const first = entry.current?.lease?.id ?? '';
  engine.setUpstreams(new Map([['vault', next]]));
  engine.leasesEnd('vault', [first], clock.wall());
  await clock.advance(second);
  t.ok(next.isAlive(entry.current?.lease?.id ?? ''), 'there is another at once');
  await close();
});

t.test('the floor holds where a token was refused, and the error says so', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  engine.leasesEnd('vault', [entry.current?.lease?.id ?? ''], clock.wall());
  await clock.advance(second);
  t.match(entry, {
    state: 'expired',
    error: { message: /the mint floor lets the next one be made in 5\d s/ },
  });
  await clock.advance(minute);
  t.equal(entry.state, 'fresh');
  await close();
});

t.test('a token that ends before the floor of its lease starves nobody', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  for (let token = 1; token <= 5; token += 1) {
    const lease = entry.current?.lease?.id ?? '';
    await clock.advance(6 * second);
    engine.leasesEnd('vault', [lease], clock.wall() + 3 * second);
    t.match(entry.next?.why, /login token .* ends/);
    await clock.advance(second);
    t.not(entry.current?.lease?.id, lease, 'another in time');
    t.ok(isCurrentAlive(entry));
  }
  t.equal(upstream.mints(creds).length, 6);
  await close();
});
