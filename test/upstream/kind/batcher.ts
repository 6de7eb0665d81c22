// Questions that go together: how long they wait for each other, and what becomes of those who give up.
import t from 'tap';
import { createBatcher } from '../../../src/upstream/kind/batcher.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function setUp() {
  const clock = createFakeClock();
  const sent: { at: number; ids: readonly string[] }[] = [];
  const batcher = createBatcher<string>({
    clock,
    most: 3,
    run: async (ids) => {
      sent.push({ at: clock.now(), ids });
      return new Map(ids.map((id) => [id, `value of ${id}`]));
    },
  });
  const background = (slackMs?: number, signal = new AbortController().signal) => ({
    priority: 'background' as const,
    signal,
    ...(slackMs === undefined ? {} : { slackMs }),
  });
  return { clock, sent, batcher, background };
}

t.test('a poll waits for others as long as it may, and goes with whoever is in haste', async (t) => {
  const { clock, sent, batcher, background } = setUp();
  const slow = batcher.ask('slow', background(30_000));
  await clock.advance(10_000);
  t.strictSame(sent, []);
  const other = batcher.ask('other', background(5000));
  await clock.advance(5000);
  t.strictSame(sent, [{ at: 15_000, ids: ['slow', 'other'] }]);
  t.strictSame(await Promise.all([slow, other]), ['value of slow', 'value of other']);
  const late = batcher.ask('late', background(30_000));
  const urgent = batcher.ask('urgent', { priority: 'interactive', signal: new AbortController().signal });
  await clock.advance(10);
  t.strictSame(sent.at(-1)?.ids, ['late', 'urgent']);
  await Promise.all([late, urgent]);
  for (const id of ['a', 'b', 'c']) void batcher.ask(id, background(30_000));
  t.strictSame(sent.at(-1)?.ids, ['a', 'b', 'c'], 'a full one goes at once');
});

t.test('whoever gives up is answered at once, and not asked for', async (t) => {
  const { clock, sent, batcher, background } = setUp();
  const giveUp = new AbortController();
  const gone = batcher.ask('gone', background(30_000, giveUp.signal));
  const kept = batcher.ask('kept', background(30_000));
  giveUp.abort();
  await t.rejects(gone, { code: 'aborted' });
  await clock.advance(30_000);
  t.strictSame(sent, [{ at: 30_000, ids: ['kept'] }]);
  t.equal(await kept, 'value of kept');
  await t.rejects(batcher.ask('late', background(30_000, giveUp.signal)), { code: 'aborted' });
  t.equal(clock.pending, 0, 'nothing is planned for nobody');
  const last = new AbortController();
  const late = batcher.ask('last', background(30_000, last.signal));
  last.abort();
  await t.rejects(late, { code: 'aborted' });
  t.equal(clock.pending, 0, 'nor for one who gave up');
  await clock.advance(60_000);
  t.equal(sent.length, 1);
});
