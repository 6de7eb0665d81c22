import t from 'tap';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';

const second = 1000;
const minute = 60 * second;
const creds = 'aws/creds/fixed';

/** A lease that nothing renews, with another in its place, while somebody still holds it. */
async function start() {
  const harness = createLeaseHarness();
  const { clock, store, upstream, engine } = harness;
  upstream.setLeased(creds, { ttlSeconds: 3600, isRenewable: false });
  const { entry, key } = harness.open(creds, { overlapMs: 30 * second });
  engine.start();
  await clock.advance(second);
  store.hold('app', key, entry.current?.number ?? 0);
  const id = entry.current?.lease?.id ?? '';
  await clock.advance(2 * minute);
  await harness.during(engine.refresh([key], { replace: true }));
  const moves = (): void => void store.hold('app', key, entry.current?.number ?? 0);
  const isKnown = (): boolean => [...engine.leases()].some(({ leaseId }) => leaseId === id);
  return { ...harness, entry, id, moves, isKnown };
}

t.test('a set clock lets nobody forget a lease that lives', async (t) => {
  const { clock, upstream, entry, id, moves, isKnown, close } = await start();
  t.not(entry.current?.lease?.id, id);
  clock.jumpWall(40 * minute);
  await clock.advance(25 * minute);
  t.ok(upstream.isAlive(id) && isKnown(), 'its end seems to have passed');
  t.equal(upstream.count('revoke', id), 0, 'somebody still uses it');
  moves();
  await clock.advance(40 * second);
  t.notOk(upstream.isAlive(id) || isKnown());
  await close();
});

t.test('what may have ended while the host slept is forgotten once it must have', async (t) => {
  const { clock, upstream, id, isKnown, close } = await start();
  clock.jumpWall(40 * minute);
  await clock.advance(50 * minute);
  t.ok(isKnown());
  await clock.advance(10 * minute);
  t.notOk(isKnown());
  t.equal(upstream.count('revoke', id), 0);
  await close();
});

t.test('one request that fails is no proof that it has ended', async (t) => {
  const { clock, upstream, id, moves, isKnown, close } = await start();
  clock.jumpWall(58 * minute);
  await clock.advance(10 * second);
  upstream.fault = ({ operation }) => (operation === 'revoke' ? new Error('broken') : undefined);
  moves();
  await clock.advance(2 * minute);
  t.ok(upstream.isAlive(id) && isKnown() && upstream.count('revoke', id) > 0);
  upstream.fault = undefined;
  await clock.advance(5 * minute);
  t.notOk(upstream.isAlive(id) || isKnown());
  await close();
});

t.test('a caller who gave a lease up has it renewed no more, also when the clock is set', async (t) => {
  const { clock, upstream, engine, close } = createLeaseHarness();
  upstream.setLeased('creds', { ttlSeconds: 600 });
  engine.start();
  const held = engine.hold({
    upstream: 'vault',
    id: 'creds/1',
    key: 'vault:write creds',
    durationSeconds: 600,
    sentAt: clock.wall(),
    isWanted: () => true,
    onGone() {},
  });
  held.release();
  clock.jumpWall(20 * minute);
  await clock.advance(9 * minute);
  t.equal(upstream.count('renew'), 0);
  t.ok(held.endsAt() !== undefined, 'it may live');
  await clock.advance(2 * minute);
  t.equal(held.endsAt(), undefined);
  await close();
});

t.test('an answer that was lost lets nobody forget what it may have renewed', async (t) => {
  const { clock, store, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased('creds', { ttlSeconds: 600, maxTtlSeconds: 86_400 });
  const { entry, key } = open('creds', { overlapMs: 30 * second });
  engine.start();
  await clock.advance(second);
  store.hold('app', key, entry.current?.number ?? 0);
  const id = entry.current?.lease?.id ?? '';
  upstream.lose = ({ operation }) =>
    operation === 'renew' ? new UpstreamError('upstream_answer_invalid', 'not JSON') : undefined;
  await clock.until(() => upstream.mints('creds').length === 2, 30 * minute);
  upstream.lose = undefined;
  upstream.fault = ({ operation, target }) =>
    operation === 'renew' && target === id ? new UpstreamError('denied', 'no', { status: 403 }) : undefined;
  await clock.until(() => clock.now() > 605 * second, 30 * minute);
  t.ok(upstream.isAlive(id), 'the lost renewals have prolonged it');
  t.ok([...engine.leases()].some(({ leaseId }) => leaseId === id));
  store.hold('app', key, entry.current?.number ?? 0);
  await clock.advance(40 * second);
  t.notOk(upstream.isAlive(id), 'revoked when its users have moved');
  await close();
});
