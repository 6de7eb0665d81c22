import t from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { createLeaseEngine, type LeaseEngineOptions } from '../../src/lease/lease-engine.ts';
import { defaultEntryPolicy, type EntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { secretFields } from '../../src/store/secret-version.ts';
import { createStore } from '../../src/store/store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { createFakeUpstream, unavailable } from '../support/fake-upstream.ts';
import { createSeededRandom } from '../support/seeded-random.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const creds = 'database/creds/app';

function setUp(options: { canCheck?: boolean } & Partial<LeaseEngineOptions> = {}) {
  const clock = createFakeClock();
  const store = createStore({ clock });
  const upstream = createFakeUpstream({ clock, canCheck: options.canCheck ?? false });
  const engine = createLeaseEngine({
    store,
    clock,
    random: createSeededRandom(7),
    logger: silentLogger,
    upstreams: new Map([['vault', upstream]]),
    ...options,
  });
  const open = (path: string, policy: Partial<EntryPolicy> = {}) =>
    store.open(createReference({ upstream: 'vault', path }), { ...defaultEntryPolicy, ...policy });
  const shown = (entry: { current: Parameters<typeof secretFields>[0] | undefined }) =>
    entry.current && secretFields(entry.current)['value'];
  const close = async () => {
    const closing = engine.close({ signal: AbortSignal.timeout(20_000) });
    await clock.advance(10 * second);
    await closing;
  };
  return { clock, store, upstream, engine, open, shown, close };
}

t.test('reads what the store opens, before and after its start', async (t) => {
  const { clock, upstream, engine, open, shown, close } = setUp();
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
  await close();
  t.equal(clock.pending, 0, 'leaves no timer behind');
});

t.test(
  'polls a static secret every refresh within a fifth, by its version where upstream can tell',
  async (t) => {
    const { clock, upstream, engine, open, shown, close } = setUp({ canCheck: true });
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
    await close();
  },
);

t.test(
  'renews a lease at about two thirds, and replaces it before it reaches its longest life',
  async (t) => {
    const { clock, upstream, engine, open, close } = setUp();
    upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 3 * 3600 });
    const { entry } = open(creds, { overlapMs: 30 * second });
    engine.start();
    await clock.advance(45 * minute);
    t.equal(upstream.count('renew'), 1);
    t.equal(upstream.mints(creds).length, 1);
    let dead = 0;
    for (let passed = 0; passed < 24 * hour; passed += minute) {
      await clock.advance(minute);
      if (!upstream.isAlive(entry.current?.lease?.id ?? '')) dead += 1;
    }
    t.equal(dead, 0, 'the value handed out was always alive');
    t.ok(upstream.mints(creds).length <= 10, `${upstream.mints(creds).length} mints in a day`);
    const earlier = upstream.mints(creds).slice(0, -1);
    t.ok(
      earlier.every(({ revokedAt }) => revokedAt !== undefined),
      'superseded leases are revoked',
    );
    await close();
    t.ok(
      upstream.mints(creds).every(({ id }) => !upstream.isAlive(id)),
      'the last one too, at exit',
    );
  },
);

t.test(
  'keeps a superseded lease alive while a consumer holds it, then revokes it after the overlap',
  async (t) => {
    const { clock, store, upstream, engine, open, close } = setUp();
    upstream.setLeased(creds, { ttlSeconds: 60, maxTtlSeconds: 24 * 3600 });
    const { key, entry } = open(creds, { overlapMs: 30 * second });
    engine.start();
    await clock.advance(second);
    const first = entry.current?.lease?.id ?? '';
    store.hold('app.conf', key, entry.current?.number ?? 0);
    await clock.advance(2 * minute);
    t.match(await Promise.all([engine.refresh([key], { replace: true }), clock.advance(second)]), [
      [{ outcome: 'changed' }],
    ]);
    t.not(entry.current?.lease?.id, first);
    await clock.advance(10 * minute);
    t.ok(upstream.isAlive(first), 'held: renewed');
    store.hold('app.conf', key, entry.current?.number ?? 0);
    await clock.advance(29 * second);
    t.ok(upstream.isAlive(first), 'within the overlap');
    await clock.advance(3 * second);
    t.notOk(upstream.isAlive(first), 'revoked');
    await close();
  },
);

t.test('asks once for two spellings of one secret, and mirrors to both', async (t) => {
  const { clock, upstream, engine, open, shown, close } = setUp();
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

t.test('sends one request probing an upstream that is away, and none of the others retries', async (t) => {
  const { clock, upstream, engine, open, close } = setUp();
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
  t.ok(
    upstream.requests.length - before < 45,
    `${upstream.requests.length - before} requests in ten minutes away`,
  );
  t.ok(entries.some(({ state }) => state === 'stale'));
  upstream.fault = undefined;
  await clock.advance(minute + 30 * second);
  t.ok(
    entries.every(({ state }) => state === 'fresh'),
    'all fresh within the backoff cap and a refresh',
  );
  await close();
});
