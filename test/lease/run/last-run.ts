import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeUpstream } from '../../support/fake-upstream.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';

const second = 1000;
const minute = 60 * second;
const creds = 'database/creds/app';

/** Real writes are awaited in real time, with a deadline. */
async function untilFile(path: string, isWanted: (text: string) => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await delay(5)) {
    if (existsSync(path) && isWanted(readFileSync(path, 'utf8'))) return;
  }
  throw new Error('the state file did not come to hold what was expected');
}

/** A run whose clock stops for good, as by a SIGKILL, and what the next one needs. */
async function crash(folder: string, policy: { onExit?: 'keep' | 'revoke' } = {}) {
  const statePath = join(folder, 'leases.json');
  const upstreamClock = createFakeClock();
  const upstream = createFakeUpstream({ clock: upstreamClock });
  upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 100 * 3600 });
  const before = createLeaseHarness({ upstream, statePath });
  const { entry, key } = before.open(creds, policy);
  before.engine.start();
  await before.clock.advance(second);
  const id = entry.current?.lease?.id ?? '';
  await untilFile(statePath, (text) => text.includes(id));
  return { statePath, id, key, clock: upstreamClock, upstream, before };
}

t.test('the state file holds ids and times, and no secret', async (t) => {
  const { statePath, id, before } = await crash(t.testdir());
  const text = readFileSync(statePath, 'utf8');
  t.match(JSON.parse(text), { version: 1, leases: [{ leaseId: id, upstream: 'vault', onExit: 'revoke' }] });
  t.notMatch(text, /credential of/);
  await before.close();
  await untilFile(statePath, (closed) => !closed.includes(id));
});

t.test('revokes the lease of the last run when its users have moved, after the overlap', async (t) => {
  const { statePath, id, key, clock, upstream } = await crash(t.testdir());
  const next = createLeaseHarness({ clock, upstream, statePath, seed: 8 });
  const { entry } = next.open(creds, { overlapMs: 30 * second });
  next.engine.start();
  t.match([...next.engine.leases()], [{ leaseId: id, state: 'superseded' }]);
  await clock.advance(2 * minute);
  t.equal(entry.state, 'fresh');
  t.ok(upstream.isAlive(id), 'the files may still hold it');
  next.store.hold('app.conf', key, entry.current?.number ?? 0);
  await clock.advance(25 * second);
  t.ok(upstream.isAlive(id), 'within the overlap');
  await clock.advance(10 * second);
  t.notOk(upstream.isAlive(id));
  await next.close();
});

t.test('does not wait for ever where nobody holds a version', async (t) => {
  const { statePath, id, clock, upstream } = await crash(t.testdir());
  const next = createLeaseHarness({ clock, upstream, statePath });
  next.open(creds, { overlapMs: second });
  next.engine.start();
  await clock.advance(6 * minute);
  t.notOk(upstream.isAlive(id));
  await next.close();
});

t.test('renews it while the new one cannot be had', async (t) => {
  const { statePath, id, clock, upstream } = await crash(t.testdir());
  upstream.fault = ({ operation }) =>
    operation === 'read' ? Object.assign(new Error('no database'), { code: 'x' }) : undefined;
  const next = createLeaseHarness({ clock, upstream, statePath });
  next.open(creds);
  next.engine.start();
  for (let round = 0; round < 180; round += 1) await clock.advance(minute);
  t.ok(upstream.isAlive(id), 'alive after three of its lives');
  await next.close();
});

t.test('revokes what is configured no more', async (t) => {
  for (const onExit of ['revoke', 'keep'] as const) {
    const { statePath, id, clock, upstream } = await crash(t.testdir(), { onExit });
    const next = createLeaseHarness({ clock, upstream, statePath });
    next.engine.start();
    await clock.advance(4 * minute);
    t.equal(upstream.isAlive(id), true, 'it may come back with the next reload');
    await clock.advance(6 * minute);
    t.equal(upstream.isAlive(id), false, 'nobody answers for it');
    await next.close();
  }
});

t.test('goes on with a corrupt file', async (t) => {
  const { statePath, clock, upstream } = await crash(t.testdir());
  writeFileSync(statePath, '{"version":');
  const next = createLeaseHarness({ clock, upstream, statePath });
  const { entry } = next.open(creds);
  next.engine.start();
  await clock.advance(second);
  t.equal(entry.state, 'fresh');
  t.ok(existsSync(`${statePath}.corrupt`));
  await next.close();
});

t.test('forgets no lease because its end seems to have passed: the clock may have been set', async (t) => {
  for (const isRenewable of [true, false]) {
    const { statePath, id, clock, upstream } = await crash(t.testdir());
    const state = JSON.parse(readFileSync(statePath, 'utf8'));
    Object.assign(state.leases[0], { expiresAt: clock.wall() - minute, isRenewable });
    writeFileSync(statePath, JSON.stringify(state));
    const next = createLeaseHarness({ clock, upstream, statePath });
    const { entry, key } = next.open(creds);
    next.engine.start();
    await clock.advance(minute);
    t.match([...next.engine.leases()], [{ leaseId: id, state: 'superseded' }, { state: 'current' }]);
    t.equal(
      upstream.count('renew', id),
      isRenewable ? 1 : 0,
      'the last renewal may not have come into the file',
    );
    t.ok(upstream.isAlive(id), 'somebody may still use it');
    next.store.hold('app', key, entry.current?.number ?? 0);
    await clock.advance(10 * minute);
    t.notOk(upstream.isAlive(id));
    t.equal([...next.engine.leases()].length, 1);
    await next.close();
  }
});

t.test('a lease ends with the token of the last run, and is not renewed beyond it', async (t) => {
  const { statePath, clock, upstream, id } = await crash(t.testdir());
  const state = JSON.parse(readFileSync(statePath, 'utf8'));
  Object.assign(state.leases[0], { tokenEndsAt: clock.wall() + 20 * minute });
  writeFileSync(statePath, JSON.stringify(state));
  const next = createLeaseHarness({ clock, upstream, statePath });
  next.engine.start();
  t.match([...next.engine.leases()], [{ leaseId: id, expiresAt: clock.wall() + 20 * minute }]);
  await next.close();
  Object.assign(state.leases[0], { tokenEndsAt: clock.wall() - 1 });
  writeFileSync(statePath, JSON.stringify(state));
  const late = createLeaseHarness({ clock, upstream, statePath });
  late.engine.start();
  await clock.advance(minute);
  t.equal(upstream.count('renew'), 0, 'its token seems to have ended');
  await late.close();
});
