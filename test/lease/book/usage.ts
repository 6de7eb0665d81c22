// An upstream is unused the moment that its last lease or request has gone: told by an event, with no look at intervals.
import t from 'tap';
import { createChangePoint } from '../../../src/base/time/until.ts';
import { createUsage } from '../../../src/lease/book/usage.ts';
import { createSourceTable } from '../../../src/lease/source-table.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeUpstream } from '../../support/fake-upstream.ts';
import { createLeaseHarness } from '../../support/lease-harness.ts';

const second = 1000;

t.test('the revocation of the last lease is the moment', async (t) => {
  const { clock, upstream, engine, open, close } = createLeaseHarness();
  upstream.setLeased('database/creds/app', { ttlSeconds: 600 });
  const handle = open('database/creds/app');
  engine.start();
  await clock.advance(second);
  t.equal(engine.isUsed(upstream), true);
  let unusedAt: number | undefined;
  const waiting = engine.untilUnused(upstream, new AbortController().signal).then(() => {
    unusedAt = clock.now();
  });
  await clock.advance(2 * second);
  t.equal(unusedAt, undefined, 'it is held');
  handle.close();
  while (upstream.count('revoke') === 0) await clock.advance(10);
  await clock.advance(10);
  await waiting;
  t.equal(engine.isUsed(upstream), false);
  await close();
});

t.test('so are the end of a request, and the end of a lease that nobody tells of', async (t) => {
  const clock = createFakeClock();
  const source = createFakeUpstream({ clock });
  const news = createChangePoint();
  const sources = createSourceTable(new Map([['vault', source]]), news.tell);
  const lease = { issuer: source, mayLastUntil: clock.now() + 60 * second };
  const book = { leases: () => [lease] };
  const usage = createUsage({ clock, book, sources, changes: news.changes });
  const answer = Promise.withResolvers<void>();
  const request = sources.call('vault', () => answer.promise);
  const { signal } = new AbortController();
  let isUnused = false;
  const waiting = usage.untilUnused(source, signal).then(() => {
    isUnused = true;
  });
  await clock.advance(61 * second);
  t.equal(isUnused, false, 'the request is under way');
  answer.resolve();
  await request;
  await waiting;
  const given = new AbortController();
  lease.mayLastUntil = clock.now() + 60 * second;
  const late = usage.untilUnused(source, signal);
  const stopped = t.rejects(usage.untilUnused(source, given.signal), { code: 'aborted' });
  given.abort();
  await stopped;
  await clock.advance(60 * second);
  await late;
  t.equal(usage.isUsed(source), false);
  source.close();
});
