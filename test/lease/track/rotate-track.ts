import t from 'tap';
import { unavailable } from '../../support/fake-upstream.ts';
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
