import t from 'tap';
import { createChangePoint, nextChange, until } from '../../../src/base/time/until.ts';

t.test('asks at once, and again only after a change', async (t) => {
  const point = createChangePoint();
  let asked = 0;
  let isDone = false;
  const waiting = until(point.changes, () => {
    asked += 1;
    return isDone;
  });
  await Promise.resolve();
  t.equal(asked, 1);
  point.tell();
  await new Promise(setImmediate);
  t.equal(asked, 2);
  isDone = true;
  point.tell();
  await waiting;
  t.equal(asked, 3);
});

t.test('a change that comes while it asks is not lost', async (t) => {
  const point = createChangePoint();
  let state = 'old';
  await until(point.changes, async () => {
    const seen = state;
    if (seen === 'old') {
      state = 'new';
      point.tell();
    }
    await Promise.resolve();
    return seen === 'new';
  });
  t.equal(state, 'new');
});

t.test('gives up with the signal, after a last look', async (t) => {
  const point = createChangePoint();
  const abort = new AbortController();
  let asked = 0;
  const waiting = until(
    point.changes,
    () => {
      asked += 1;
      return false;
    },
    abort.signal,
  );
  await new Promise(setImmediate);
  abort.abort();
  await t.rejects(waiting, { code: 'aborted' });
  t.equal(asked, 2);
  await t.rejects(nextChange(point.changes, abort.signal), { code: 'aborted' });
});
