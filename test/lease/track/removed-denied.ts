import t from 'tap';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import { unavailable } from '../../support/fake-upstream.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';

const second = 1000;
const hour = 3_600_000;

const refusals = {
  removed: new UpstreamError('not_found', 'no such secret', { status: 404 }),
  denied: new UpstreamError('denied', 'permission denied', { status: 403 }),
} as const;

for (const what of ['removed', 'denied'] as const) {
  const choice = what === 'removed' ? 'onRemoved' : 'onDenied';

  t.test(`${what}: kept until max_stale, and not for ever, whatever on_stale says`, async (t) => {
    const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
    upstream.setStatic('secret/a', 'one');
    const { entry } = open('secret/a', { onStale: 'keep', maxStaleMs: hour, refreshMs: 2 * second });
    engine.start();
    await clock.advance(second);
    upstream.fault = () => refusals[what];
    await clock.advance(10 * second);
    t.match(entry, { state: what, isRemoved: what === 'removed' });
    t.equal(shown(entry), 'one');
    upstream.fault = () => unavailable();
    await clock.advance(50 * 60 * second);
    t.equal(entry.isRemoved, what === 'removed', 'an outage does not take the word back');
    t.equal(entry.state, what);
    const told = engine.lastValueEnd(entry.key);
    t.match(told, { by: 'max_stale', maxStaleMs: hour, isDefault: false });
    await clock.advance((told?.until ?? 0) - clock.wall() - 1);
    t.equal(entry.state, what, 'to the moment that was told');
    await clock.advance(1);
    t.match(entry, { state: 'expired', current: undefined });
    t.match(engine.lastValueEnd(entry.key), { by: 'max_stale' });
    upstream.fault = undefined;
    await clock.advance(2 * 60 * second);
    t.match(entry, { state: 'fresh', isRemoved: false });
    await close();
  });

  t.test(
    `${what}: handed out no more at once where the config says fail, and here again with upstream`,
    async (t) => {
      const { clock, upstream, engine, open, shown, close } = createLeaseHarness();
      upstream.setStatic('secret/a', 'one');
      const { entry } = open('secret/a', { [choice]: 'fail', onStale: 'keep', refreshMs: 2 * second });
      engine.start();
      await clock.advance(second);
      upstream.fault = () => unavailable();
      await clock.advance(10 * second);
      t.equal(entry.state, 'stale', 'an outage is neither');
      upstream.fault = undefined;
      await clock.advance(120 * second);
      t.equal(entry.state, 'fresh');
      upstream.fault = () => refusals[what];
      await clock.advance(4 * second);
      t.match(entry, { state: 'expired', current: undefined });
      upstream.fault = undefined;
      await clock.advance(61 * second);
      t.equal(shown(entry), 'one');
      await close();
    },
  );
}

t.test('a credential is good to its own end, whatever becomes of the path that gave it', async (t) => {
  const { clock, upstream, engine, open, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased('database/creds/app', { ttlSeconds: 600, isRenewable: false });
  const { entry } = open('database/creds/app', { onRemoved: 'fail', onDenied: 'fail' });
  engine.start();
  await clock.advance(second);
  upstream.fault = () => refusals.denied;
  await clock.advance(580 * second);
  t.equal(entry.state, 'denied');
  t.ok(isCurrentAlive(entry));
  await clock.advance(20 * second);
  t.equal(entry.state, 'expired');
  await close();
});
