// What becomes of a lease: renewed, replaced, kept for its users, revoked.
import t from 'tap';
import { silentLogger } from '../../src/base/logger.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { createLeaseHarness } from '../support/lease-harness.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const creds = 'database/creds/app';

t.test(
  'renews a lease at about two thirds, and replaces it before it reaches its longest life',
  async (t) => {
    const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
    upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 3 * 3600 });
    const { entry } = open(creds, { overlapMs: 30 * second });
    engine.start();
    await clock.advance(45 * minute);
    t.equal(upstream.count('renew'), 1);
    t.equal(upstream.mints(creds).length, 1);
    let dead = 0;
    for (let passed = 0; passed < 24 * hour; passed += minute) {
      await clock.advance(minute);
      if (!isCurrentAlive(entry)) dead += 1;
    }
    t.equal(dead, 0, 'the value handed out was always alive');
    t.ok(upstream.mints(creds).length <= 11, `${upstream.mints(creds).length} mints in a day`);
    const earlier = upstream.mints(creds).slice(0, -1);
    t.ok(earlier.every(({ revokedAt }) => revokedAt !== undefined));
    await close();
    t.notOk(isCurrentAlive(entry), 'the last one is revoked at exit');
  },
);

t.test('replaces a lease that cannot be renewed before its end', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 600, isRenewable: false });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  for (let round = 0; round < 60; round += 1) {
    await clock.advance(minute);
    if (!isCurrentAlive(entry)) t.fail(`dead at minute ${round}`);
  }
  t.equal(upstream.count('renew'), 0);
  t.ok(upstream.mints(creds).length <= 9);
  await close();
});

t.test('follows a lease that the server shortens, without minting', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 100 * 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  upstream.setLeased(creds, { ttlSeconds: 300, maxTtlSeconds: 100 * 3600 });
  for (let round = 0; round < 180; round += 1) {
    await clock.advance(minute);
    if (!isCurrentAlive(entry)) t.fail(`dead at minute ${round}`);
  }
  t.equal(upstream.mints(creds).length, 1);
  await close();
});

t.test('tries the renewal of a shortened lease again when one has failed, and mints nothing', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 100 * 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(second);
  upstream.setLeased(creds, { ttlSeconds: 300, maxTtlSeconds: 100 * 3600 });
  await clock.advance(60 * minute);
  const failed = upstream.count('renew') + 1;
  upstream.fault = ({ operation }) =>
    operation === 'renew' && upstream.count('renew') <= failed
      ? new UpstreamError('upstream_unavailable', 'not now', { status: 500 })
      : undefined;
  await clock.advance(60 * minute);
  t.ok(upstream.count('renew') > failed);
  t.equal(upstream.mints(creds).length, 1);
  t.ok(isCurrentAlive(entry));
  await close();
});

t.test(
  'replaces a lease at its longest life with the lead of its whole life, however short the rest',
  async (t) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { clock, upstream, engine, open, close } = createLeaseHarness({ seed });
      const [lifeMinutes, mostMinutes] = [60, 64];
      upstream.setLeased(creds, { ttlSeconds: lifeMinutes * 60, maxTtlSeconds: mostMinutes * 60 });
      const { entry } = open(creds);
      engine.start();
      await clock.advance(second);
      const first = entry.current?.lease?.id;
      await clock.advance((mostMinutes - lifeMinutes / 10) * minute);
      t.not(entry.current?.lease?.id, first, `a tenth of its life before its end, seed ${seed}`);
      await close();
    }
  },
);

t.test('finds a lease that was revoked elsewhere at its next renewal, or when asked', async (t) => {
  const { clock, upstream, engine, open, during, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { key, entry } = open(creds);
  engine.start();
  await clock.advance(5 * minute);
  upstream.revokeElsewhere(entry.current?.lease?.id ?? '');
  t.match(await during(engine.refresh([key])), [{ key, outcome: 'changed' }]);
  t.ok(isCurrentAlive(entry));
  upstream.revokeElsewhere(entry.current?.lease?.id ?? '');
  await clock.advance(45 * minute);
  t.ok(isCurrentAlive(entry));
  t.equal(upstream.mints(creds).length, 3);
  await close();
});

t.test('keeps a superseded lease alive while a consumer holds it, then revokes it', async (t) => {
  const { clock, store, upstream, engine, open, during, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 60, maxTtlSeconds: 24 * 3600 });
  const { key, entry } = open(creds, { overlapMs: 30 * second });
  engine.start();
  await clock.advance(second);
  const first = entry.current?.lease?.id ?? '';
  store.hold('app.conf', key, entry.current?.number ?? 0);
  await clock.advance(2 * minute);
  t.match(await during(engine.refresh([key], { replace: true })), [{ outcome: 'changed' }]);
  t.not(entry.current?.lease?.id, first);
  await clock.advance(10 * minute);
  t.ok(upstream.isAlive(first), 'held: renewed');
  t.match(
    [...engine.leases()].map(({ state }) => state),
    ['superseded', 'current'],
  );
  store.hold('app.conf', key, entry.current?.number ?? 0);
  t.match(
    [...engine.leases()].map(({ state }) => state),
    ['retiring', 'current'],
  );
  await clock.advance(29 * second);
  t.ok(upstream.isAlive(first), 'within the overlap');
  await clock.advance(3 * second);
  t.notOk(upstream.isAlive(first), 'revoked');
  await close();
});

t.test('revokes again and again while upstream is away', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const handle = open(creds, { overlapMs: second });
  engine.start();
  await clock.advance(second);
  const id = handle.entry.current?.lease?.id ?? '';
  handle.close();
  upstream.fault = () => new UpstreamError('upstream_sealed', 'sealed', { status: 503 });
  await clock.advance(10 * minute);
  t.ok(upstream.isAlive(id));
  t.match([...engine.leases()], [{ leaseId: id, state: 'retiring' }]);
  upstream.fault = undefined;
  await clock.advance(2 * minute);
  t.notOk(upstream.isAlive(id));
  t.same([...engine.leases()], []);
  await close();
});

t.test('asks once to revoke a lease that may not be revoked, and says what is missing', async (t) => {
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const { clock, store, upstream, engine, open, close } = createLeaseHarness({ logger });
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const remedy = 'allow update on "sys/leases/revoke"';
  upstream.fault = ({ operation }) =>
    operation === 'revoke' ? new UpstreamError('denied', 'no', { status: 403, remedy }) : undefined;
  const handle = open(creds);
  engine.start();
  await clock.advance(second);
  handle.close();
  await clock.advance(30 * minute);
  t.equal(upstream.count('revoke'), 1);
  t.match(warnings, [/left to its end: no; allow update on "sys\/leases\/revoke"/]);
  t.equal([...engine.leases()].length, 1);
  await clock.advance(31 * minute);
  t.equal([...engine.leases()].length, 0);
  t.same([...store.entries()], []);
  await close();
});

t.test(
  'revokes the lease of a closed entry after its overlap, and keeps what is open at the exit',
  async (t) => {
    const { clock, upstream, engine, open, close } = createLeaseHarness();
    upstream.setLeased(creds, { ttlSeconds: 3600 });
    upstream.setLeased('database/creds/other', { ttlSeconds: 3600 });
    const handle = open(creds, { onExit: 'keep', overlapMs: minute });
    const kept = open('database/creds/other', { onExit: 'keep' });
    engine.start();
    await clock.advance(second);
    handle.close();
    await clock.advance(59 * second);
    t.equal(upstream.count('revoke'), 0);
    await clock.advance(2 * second);
    t.equal(upstream.count('revoke'), 1, 'on_exit speaks of the exit: nobody uses this one any more');
    engine.quiesce();
    kept.close();
    await close();
    t.equal(upstream.count('revoke'), 1, 'a consumer that closes with the agent gives nothing back');
    t.equal([...engine.leases()].length, 1, 'so that its token is not revoked either');
  },
);

t.test('takes a lease back that is wanted again before it was revoked', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const first = open(creds);
  engine.start();
  await clock.advance(second);
  first.close();
  await clock.advance(10 * second);
  const again = open(creds);
  await clock.advance(second);
  t.equal(again.entry.current?.lease?.id, first.entry.current?.lease?.id);
  await clock.advance(2 * hour);
  t.equal(upstream.mints(creds).length, 1);
  t.equal(upstream.count('revoke'), 0);
  await close();
});

t.test('revokes at once what was minted for an entry that closed meanwhile', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  upstream.latencyMs = 500;
  const handle = open(creds);
  engine.start();
  await clock.advance(100);
  handle.close();
  await clock.advance(5 * second);
  t.equal(upstream.mints(creds).length, 1);
  t.notOk(upstream.mints(creds).some(({ id }) => upstream.isAlive(id)));
  await close();
});

t.test('shares one lease between two entries until both have left it', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased('secret/data/leased', { ttlSeconds: 3600 });
  upstream.setLeased('secret/leased', { ttlSeconds: 3600 });
  const one = open('secret/leased', { overlapMs: second });
  engine.start();
  await clock.advance(second);
  const other = open('secret/data/leased', { overlapMs: second });
  await clock.advance(second);
  t.equal(upstream.issued.size, 1);
  const id = one.entry.current?.lease?.id ?? '';
  t.equal(other.entry.current?.lease?.id, id);
  one.close();
  await clock.advance(minute);
  t.ok(upstream.isAlive(id));
  other.close();
  await clock.advance(minute);
  t.notOk(upstream.isAlive(id));
  await close();
});

t.test('replaces leases before the token behind them ends', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { entry } = open(creds);
  engine.start();
  await clock.advance(minute);
  const id = entry.current?.lease?.id ?? '';
  engine.leasesEnd('vault', [id, 'unknown'], clock.wall() + 20 * minute);
  t.equal(entry.current?.lease?.id, id);
  await clock.advance(19 * minute);
  t.not(entry.current?.lease?.id, id);
  await close();
});
