import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeUpstream, unavailable } from '../../support/fake-upstream.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';
import { waitFor } from '../../support/wait-for.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const creds = 'database/creds/app';
const cert = 'pki/issue/web';

/** One host after another run of the agent: the same upstream, clock, state file and, unless said, key. */
function createHost(folder: string) {
  const clock = createFakeClock();
  const upstream = createFakeUpstream({ clock });
  upstream.setLeased(creds, { ttlSeconds: 3600, maxTtlSeconds: 1000 * 3600 });
  upstream.setCertificate(cert, { ttlSeconds: 30 * 24 * 3600 });
  const statePath = join(folder, 'leases.json');
  const key = randomBytes(32);
  return {
    clock,
    upstream,
    statePath,
    text: () => readFileSync(statePath, 'utf8'),
    start({ key: other = key, origin = 'https://vault', onExit = 'keep' as 'keep' | 'revoke' } = {}) {
      const handOver = { key: other, originOf: () => origin };
      const run = createLeaseHarness({ clock, upstream, statePath, handOver });
      const [leased, certificate] = [run.open(creds, { onExit }), run.open(cert, { onExit })];
      run.engine.start();
      return { ...run, key: other, leased: leased.entry, certificate: certificate.entry };
    },
  };
}

t.test('twenty restarts make nothing twice', async (t) => {
  const { clock, upstream, start, text } = createHost(t.testdir());
  let run = start();
  await clock.advance(minute);
  const values = [run.shown(run.leased), run.shown(run.certificate)];
  t.ok(values.every((value) => typeof value === 'string'));
  for (let restart = 0; restart < 20; restart += 1) {
    await run.close();
    t.notMatch(text(), new RegExp(values.join('|')), 'no secret in the file');
    await clock.advance(10 * minute);
    run = start();
    await clock.advance(1);
    t.strictSame([run.shown(run.leased), run.shown(run.certificate)], values);
    t.match([run.leased.state, run.certificate.state], ['fresh', 'fresh'], 'at once, whatever upstream does');
    await clock.advance(minute);
    t.ok(run.isCurrentAlive(run.leased));
  }
  t.equal(upstream.count('read'), 2);
  t.equal(upstream.count('revoke'), 0);
  await clock.advance(48 * hour);
  t.ok(run.isCurrentAlive(run.leased), 'and it is renewed as ever');
  t.equal(upstream.mints(creds).length, 1);
  await run.close();
});

t.test('killed before everything was asked for, it leaves the rest for the one after', async (t) => {
  const { clock, upstream, statePath, start } = createHost(t.testdir());
  const first = start();
  await clock.advance(minute);
  await first.close();
  const key = first.key;
  const hasty = createLeaseHarness({
    clock,
    upstream,
    statePath,
    handOver: { key, originOf: () => 'https://vault' },
  });
  hasty.open(creds, { onExit: 'keep' });
  hasty.engine.start();
  await clock.advance(second);
  await hasty.close();
  const run = start();
  await clock.advance(second);
  t.equal(run.shown(run.certificate), first.shown(first.certificate));
  t.equal(upstream.count('read', cert), 1);
  await run.close();
});

t.test(
  'a change of what is not issued leaves the state file alone, and one of what is does not',
  async (t) => {
    const { clock, upstream, statePath } = createHost(t.testdir());
    const key = randomBytes(32);
    upstream.setStatic('secret/app', 'one');
    const run = createLeaseHarness({
      clock,
      upstream,
      statePath,
      handOver: { key, originOf: () => 'https://vault' },
    });
    const fixed = run.open('secret/app');
    const issued = run.open(creds, { onExit: 'keep' });
    run.engine.start();
    await clock.advance(second);
    await waitFor('the state file', () => existsSync(statePath));
    const writtenAt = () => statSync(statePath, { bigint: true }).mtimeNs;
    const before = writtenAt();
    upstream.setStatic('secret/app', 'two');
    await run.engine.refresh([fixed.key]);
    await clock.advance(minute);
    t.equal(fixed.entry.current?.number, 2);
    t.equal(writtenAt(), before);
    await run.engine.rotate([issued.key]);
    await waitFor('it to be written', () => writtenAt() !== before);
    await run.close();
  },
);

t.test('what was killed is gone on with as well', async (t) => {
  const { clock, upstream, start } = createHost(t.testdir());
  const killed = start();
  await clock.advance(minute);
  await killed.engine.close({ signal: AbortSignal.abort() });
  const run = start();
  await clock.advance(second);
  t.equal(run.shown(run.leased), killed.shown(killed.leased));
  t.equal(upstream.count('read'), 2);
  await run.close();
});

t.test('serves it while upstream is away, and no longer than it lives', async (t) => {
  const { clock, upstream, start } = createHost(t.testdir());
  const before = start();
  await clock.advance(minute);
  await before.close();
  upstream.fault = () => unavailable();
  const run = start();
  await clock.advance(minute);
  t.equal(run.leased.state, 'stale');
  t.equal(run.shown(run.leased), before.shown(before.leased));
  await clock.advance(hour);
  t.equal(run.leased.state, 'expired');
  await run.close();
});

t.test(
  'asks upstream whether the lease still lives, and replaces one that was revoked meanwhile',
  async (t) => {
    const { clock, upstream, start } = createHost(t.testdir());
    const before = start();
    await clock.advance(minute);
    await before.close();
    upstream.revokeElsewhere(before.leased.current?.lease?.id ?? '');
    const run = start();
    await clock.advance(second);
    t.ok(run.isCurrentAlive(run.leased));
    t.equal(upstream.mints(creds).length, 2);
    await run.close();
  },
);

for (const [what, over] of [
  ['the key is gone, as after a start of the host', { key: randomBytes(32) }],
  ['the upstream is another one', { origin: 'https://other' }],
] as const) {
  t.test(`makes everything again where ${what}`, async (t) => {
    const { clock, upstream, start } = createHost(t.testdir());
    const before = start();
    await clock.advance(minute);
    await before.close();
    const run = start(over);
    await clock.advance(minute);
    t.equal(upstream.count('read'), 4);
    t.ok(upstream.isAlive(before.leased.current?.lease?.id ?? ''), 'its users still have the old one');
    await run.close();
  });
}

t.test('leaves nothing with on_exit: revoke, and nothing where everything is to go', async (t) => {
  const { clock, upstream, start, text } = createHost(t.testdir());
  const revoking = start({ onExit: 'revoke' });
  await clock.advance(minute);
  await revoking.close();
  t.match(JSON.parse(text()), { leases: [], values: [] });
  t.equal(upstream.count('revoke'), 1);
  const keeping = start();
  await clock.advance(minute);
  const closing = keeping.engine.close({ signal: new AbortController().signal, onExit: 'revoke' });
  await clock.advance(10 * second);
  await closing;
  t.match(JSON.parse(text()), { leases: [], values: [] });
  t.equal(upstream.count('revoke'), 2);
});

t.test('a certificate that is due is replaced, and one that has ended is not handed out', async (t) => {
  const { clock, upstream, start } = createHost(t.testdir());
  const before = start();
  await clock.advance(minute);
  await before.close();
  await clock.advance(28 * 24 * hour);
  const due = start();
  await clock.advance(minute);
  t.not(due.shown(due.certificate), before.shown(before.certificate));
  await due.close();
  await clock.advance(31 * 24 * hour);
  const late = start();
  t.equal(late.certificate.state, 'pending');
  await clock.advance(minute);
  t.equal(late.certificate.state, 'fresh');
  t.equal(upstream.count('read', cert), 3);
  await late.close();
});

t.test(
  'what seems to be issued later than now is not gone on with, but for what can be renewed',
  async (t) => {
    const { clock, upstream, start } = createHost(t.testdir());
    let run = start();
    await clock.advance(minute);
    const leased = run.shown(run.leased);
    await run.close();
    clock.jumpWall(-2 * hour);
    run = start();
    await clock.advance(minute);
    t.equal(run.shown(run.leased), leased, 'upstream tells when it ends');
    t.equal(upstream.count('read', creds), 1);
    t.equal(upstream.count('read', cert), 2, 'a certificate could have ended already');
    await run.close();
  },
);
