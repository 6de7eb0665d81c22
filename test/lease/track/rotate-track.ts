import t from 'tap';
import { describeError } from '../../../src/base/errors.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import type { Reference } from '../../../src/store/reference.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeUpstream, unavailable } from '../../support/fake-upstream.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';

const second = 1000;
const minute = 60 * second;
const creds = 'database/creds/app';

t.test('makes another credential now, and lets the old one go after its overlap', async (t) => {
  const { clock, upstream, store, engine, open, during, isCurrentAlive, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { key, entry } = open(creds, { overlapMs: 30 * second });
  engine.start();
  await clock.advance(second);
  const first = entry.current?.lease?.id ?? '';
  store.hold('file', key, 1);
  t.strictSame(
    await during(engine.rotate([key]), 100),
    [{ key, outcome: 'rotated', isChanged: true, old: 'retires' }],
    'within the mint floor of the first read',
  );
  t.match(await during(engine.rotate([key]), 100), [{ outcome: 'rotated' }], 'and once more');
  t.equal(upstream.mints(creds).length, 3);
  await clock.advance(5 * minute);
  t.ok(upstream.isAlive(first), 'somebody still uses it');
  store.hold('file', key, 3);
  await clock.advance(29 * second);
  t.ok(upstream.isAlive(first));
  await clock.advance(2 * second);
  t.notOk(upstream.isAlive(first));
  t.ok(isCurrentAlive(entry));
  await close();
});

t.test('a leaked credential goes as soon as its users have moved', async (t) => {
  const { clock, upstream, store, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { key, entry } = open(creds, { overlapMs: 10 * minute });
  engine.start();
  await clock.advance(second);
  const first = entry.current?.lease?.id ?? '';
  store.hold('file', key, 1);
  store.listen({
    changed: (_entry, { number }) => void clock.setTimer(second, () => store.hold('file', key, number)),
  });
  const rotated = engine.rotate([key], { revokeNow: true });
  await clock.advance(900);
  t.ok(upstream.isAlive(first), 'not before');
  await clock.advance(200);
  t.notOk(upstream.isAlive(first));
  t.strictSame(await rotated, [{ key, outcome: 'rotated', isChanged: true, old: 'revoked' }]);
  await close();
  t.equal(clock.pending, 0);
});

t.test('a leaked credential goes after 10 s even if somebody does not move', async (t) => {
  const { clock, upstream, store, engine, open, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  const { key, entry } = open(creds);
  engine.start();
  await clock.advance(second);
  const first = entry.current?.lease?.id ?? '';
  store.hold('file', key, 1);
  const rotated = engine.rotate([key], { revokeNow: true });
  await clock.advance(9 * second);
  t.ok(upstream.isAlive(first));
  await clock.advance(2 * second);
  t.notOk(upstream.isAlive(first));
  t.match(await rotated, [{ old: 'revoked' }]);
  await close();
});

t.test('says when the old one could not be revoked', async (t) => {
  const { clock, upstream, store, engine, open, during, close } = createLeaseHarness();
  upstream.setLeased(creds, { ttlSeconds: 3600 });
  upstream.setCertificate('pki/issue/web', { ttlSeconds: 3600 });
  const leased = open(creds);
  const certificate = open('pki/issue/web');
  engine.start();
  await clock.advance(second);
  store.hold('file', leased.key, 1);
  upstream.fault = ({ operation }) => (operation === 'revoke' ? unavailable() : undefined);
  t.match(await during(engine.rotate([leased.key], { revokeNow: true }), minute), [
    { outcome: 'rotated', old: 'lives' },
  ]);
  t.match(
    await during(engine.rotate([certificate.key], { revokeNow: true }), second),
    [{ outcome: 'rotated', isChanged: true, old: 'lives' }],
    'a certificate has no lease',
  );
  await close();
});

function withRevocation(fault: () => Error | undefined, why?: string) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const upstream = Object.assign(createFakeUpstream({ clock }), {
    revocation: {
      whyLasting: () => why,
      async revoke({ path }: Reference) {
        asked.push(path);
        const error = fault();
        if (error !== undefined) throw error;
      },
    },
  });
  upstream.setCertificate('pki/issue/web', { ttlSeconds: 3600 });
  const withdrawn: [number, unknown][] = [];
  const observer = {
    withdrawn: (_key: string, version: number, failure: unknown) => void withdrawn.push([version, failure]),
  };
  return { ...createLeaseHarness({ clock, upstream, observer }), asked, withdrawn };
}

t.test('a leaked certificate is revoked without a lease, when its users have moved', async (t) => {
  const { clock, store, engine, open, during, asked, withdrawn, close } = withRevocation(() => undefined);
  const { key } = open('pki/issue/web');
  engine.start();
  await clock.advance(second);
  t.match(await during(engine.rotate([key]), 100), [{ outcome: 'rotated', old: 'lives' }]);
  t.strictSame(asked, [], 'only after a leak');
  store.hold('file', key, 2);
  store.listen({
    changed: (_entry, { number }) => void clock.setTimer(second, () => store.hold('file', key, number)),
  });
  const rotated = engine.rotate([key], { revokeNow: true });
  await clock.advance(900);
  t.strictSame(asked, [], 'not before');
  await clock.advance(200);
  t.strictSame(asked, ['pki/issue/web']);
  t.strictSame(await rotated, [{ key, outcome: 'rotated', isChanged: true, old: 'revoked' }]);
  t.strictSame(withdrawn, [[2, undefined]]);
  await close();
  t.equal(clock.pending, 0);
});

t.test('a leaked certificate goes after 10 s even if somebody does not move', async (t) => {
  const { clock, store, engine, open, asked, close } = withRevocation(() => undefined);
  const { key } = open('pki/issue/web');
  engine.start();
  await clock.advance(second);
  store.hold('file', key, 1);
  const rotated = engine.rotate([key], { revokeNow: true });
  await clock.advance(9 * second);
  t.strictSame(asked, []);
  await clock.advance(2 * second);
  t.match(await rotated, [{ old: 'revoked' }]);
  await close();
});

t.test('a revocation is tried again while upstream is away, and not where it is denied', async (t) => {
  for (const [error, tries] of [
    [unavailable(), 3],
    [new UpstreamError('denied', 'denied by policy', { remedy: 'allow update on "pki/revoke-with-key"' }), 1],
  ] as const) {
    const { clock, engine, open, during, asked, withdrawn, close } = withRevocation(() => error);
    const { key } = open('pki/issue/web');
    engine.start();
    await clock.advance(second);
    const [result] = await during(engine.rotate([key], { revokeNow: true }), 10 * second);
    t.match(result, { outcome: 'rotated', old: 'lives', note: describeError(error) });
    t.equal(asked.length, tries);
    t.strictSame(withdrawn, [[1, error]]);
    await close();
  }
});

t.test('one that the end of the agent has left is not said to be revoked', async (t) => {
  const { clock, store, engine, open, asked, withdrawn, close } = withRevocation(() => undefined);
  const { key } = open('pki/issue/web');
  engine.start();
  await clock.advance(second);
  store.hold('file', key, 1);
  const rotated = engine.rotate([key], { revokeNow: true });
  await clock.advance(second);
  await close();
  t.match(await rotated, [{ outcome: 'rotated', old: 'lives', note: 'the agent is closing' }]);
  t.strictSame(asked, []);
  t.match(withdrawn, [[1, { code: 'aborted' }]]);
});

t.test('what nothing takes back is said to live, and nothing is asked', async (t) => {
  const { clock, engine, open, during, asked, close } = withRevocation(() => undefined, 'it is signed');
  const { key } = open('pki/issue/web');
  engine.start();
  await clock.advance(second);
  t.match(await during(engine.rotate([key], { revokeNow: true }), second), [
    { outcome: 'rotated', old: 'lives', note: 'it is signed' },
  ]);
  t.strictSame(engine.lasting(), [{ key, why: 'it is signed' }]);
  t.strictSame(asked, []);
  await close();
});

t.test('what is lent by an upstream that keeps no leases is not said to be revoked', async (t) => {
  const clock = createFakeClock();
  const { leases, ...without } = createFakeUpstream({ clock });
  without.setLeased(creds, { ttlSeconds: 3600 });
  const revoked: string[] = [];
  const observer = { revoked: (_upstream: string, id: string) => void revoked.push(id) };
  const harness = createLeaseHarness({ clock, upstreams: new Map([['vault', without]]), observer });
  const { key } = harness.open(creds);
  harness.engine.start();
  await clock.advance(second);
  for (const revokeNow of [false, true]) {
    const [result] = await harness.during(harness.engine.rotate([key], { revokeNow }), 20 * second);
    t.match(result, { outcome: 'rotated', old: 'lives' });
    if (revokeNow) t.match(result?.note, /upstream vault has no request that takes it back/);
  }
  t.match(harness.engine.lasting(), [{ key, why: /no request that takes it back/ }]);
  await harness.close();
  t.strictSame(revoked, []);
});

t.test('an end for good revokes what has no lease, one with a next start does not', async (t) => {
  for (const revokesAll of [false, true]) {
    const { clock, engine, open, asked } = withRevocation(() => undefined);
    open('pki/issue/web');
    engine.start();
    await clock.advance(second);
    const closing = engine.close({ signal: new AbortController().signal, onExit: 'revoke', revokesAll });
    await clock.advance(10 * second);
    await closing;
    t.strictSame(asked, revokesAll ? ['pki/issue/web'] : []);
  }
});

t.test(
  'makes nothing where upstream only stores the secret, and keeps what it has when upstream fails',
  async (t) => {
    const { clock, upstream, engine, open, during, close } = createLeaseHarness();
    upstream.setStatic('secret/a', 'one');
    upstream.setLeased(creds, { ttlSeconds: 3600 });
    const stored = open('secret/a');
    const leased = open(creds);
    engine.start();
    await clock.advance(second);
    upstream.setStatic('secret/a', 'two');
    t.strictSame(await during(engine.rotate([stored.key]), 100), [
      { key: stored.key, outcome: 'not_issued', isChanged: true, old: 'none' },
    ]);
    upstream.fault = () => unavailable();
    t.match(await during(engine.rotate([leased.key, 'nothing'], { revokeNow: true }), 100), [
      { key: leased.key, outcome: 'failed', old: 'lives', error: { code: 'upstream_unavailable' } },
      { key: 'nothing', outcome: 'failed', error: { code: 'not_found' } },
    ]);
    t.equal(upstream.count('revoke'), 0);
    await close();
  },
);
