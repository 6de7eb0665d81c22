import t from 'tap';
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
  const held = engine.hold({ upstream: 'vault', id, key, durationSeconds: ttlSeconds });
  return { ...harness, id, held, minted };
}

t.test('is renewed until it is released, and revoked at the end', async (t) => {
  const { clock, upstream, engine, held, id, close } = await start();
  await clock.advance(3_600_000);
  t.ok(upstream.isAlive(id));
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
  second.held.renew();
  await second.clock.advance(1000);
  t.equal(second.held.endsAt(), undefined);
  await second.close();
});
