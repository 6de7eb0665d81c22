import t from 'tap';
import { LatchkeyError } from '../../../src/base/errors.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';

/** A lease that a caller's own request got. */
async function start({ ttlSeconds = 600, maxTtlSeconds = 86_400 } = {}) {
  const harness = createLeaseHarness();
  const { upstream, engine } = harness;
  upstream.setLeased('creds', { ttlSeconds, maxTtlSeconds });
  engine.start();
  const entry = harness.open('creds');
  await harness.clock.advance(1000);
  const key = 'vault:write creds';
  const [minted] = upstream.mints('creds');
  const read = upstream.read(entry.entry.reference, {
    signal: new AbortController().signal,
    priority: 'interactive',
  });
  await harness.clock.advance(1000);
  const { lease } = await read;
  const id = lease?.id ?? '';
  const told = { isWanted: true, gone: 0 };
  const held = engine.hold({
    ...{ upstream: 'vault', id, key, durationSeconds: ttlSeconds, sentAt: harness.clock.wall() },
    isWanted: () => told.isWanted,
    onGone: () => {
      told.gone += 1;
    },
  });
  return { ...harness, id, held, minted, told };
}

t.test('is renewed until it is released, and revoked at the end', async (t) => {
  const { clock, upstream, engine, held, id, close } = await start();
  await clock.advance(3_600_000);
  t.ok(upstream.isAlive(id));
  const renewals = upstream.requests.filter(
    ({ operation, target }) => operation === 'renew' && target === id,
  );
  t.ok(
    renewals.length > 5 && renewals.every(({ isVital }) => isVital === true),
    'the caller’s ends without it',
  );
  t.ok((held.endsAt() ?? 0) > clock.wall());
  t.match(
    [...engine.leases()].find(({ leaseId }) => leaseId === id),
    { onExit: 'revoke' },
  );
  await close();
  t.notOk(upstream.isAlive(id));
});

t.test('is left to its own end when it is released', async (t) => {
  const { clock, upstream, held, id, close } = await start();
  held.release();
  await clock.advance(60_000);
  t.ok(upstream.isAlive(id), 'somebody may still use it');
  await clock.advance(600_000);
  t.notOk(upstream.isAlive(id));
  t.equal(held.endsAt(), undefined);
  t.equal(upstream.count('revoke', id), 0);
  await close();
});

t.test('is gone when it was revoked here or elsewhere', async (t) => {
  const first = await start();
  first.engine.leasesRevoked('vault', [first.id]);
  await first.clock.advance(1);
  t.equal(first.held.endsAt(), undefined);
  await first.close();
  const second = await start();
  second.upstream.revokeElsewhere(second.id);
  await Promise.all([second.held.renew(), second.clock.advance(1000)]);
  t.equal(second.held.endsAt(), undefined);
  t.same([first.told.gone, second.told.gone], [1, 1], 'and told so once');
  await second.close();
});

t.test('is renewed no more, and left to its end, when nobody wants it', async (t) => {
  const { clock, upstream, told, id, close } = await start();
  await clock.advance(1_800_000);
  t.ok(upstream.isAlive(id));
  told.isWanted = false;
  await clock.advance(1_200_000);
  t.notOk(upstream.isAlive(id));
  t.equal(told.gone, 1);
  await close();
});

t.test(
  "what a caller's own token keeps is renewed by it, and neither told, written down nor revoked",
  async (t) => {
    const harness = createLeaseHarness();
    const { clock, engine, upstream, close } = harness;
    engine.start();
    let [renewals, gone, isRefused] = [0, 0, false];
    const held = engine.hold({
      ...{ upstream: 'vault', id: 'digest', key: 'vault:login', durationSeconds: 600, sentAt: clock.wall() },
      isWanted: () => true,
      onGone: () => {
        gone += 1;
      },
      async renew(durationSeconds) {
        renewals += 1;
        if (isRefused) throw new LatchkeyError('lease_lost', 'no such token');
        return { durationSeconds, isRenewable: true };
      },
    });
    await clock.advance(3_600_000);
    t.ok(renewals >= 8 && renewals <= 10, `${renewals} renewals in an hour`);
    t.same([...engine.leases()], []);
    const wall = clock.wall();
    held.confirm(30, wall);
    t.equal(held.endsAt(), wall + 30_000, 'its holder made it live shorter');
    const before = renewals;
    await clock.advance(29_000);
    t.equal(renewals, before + 1, 'renewed in time');
    clock.jumpWall(1_200_000);
    t.ok((held.endsAt() ?? 0) < clock.wall(), 'a host that slept takes it for over at once');
    isRefused = true;
    await clock.advance(601_000);
    t.equal(held.endsAt(), undefined);
    t.equal(gone, 1);
    await close();
    t.equal(upstream.count('revoke', 'digest'), 0);
  },
);
