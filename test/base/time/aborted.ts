import { getEventListeners } from 'node:events';
import t from 'tap';
import { onAborted, orAborted, untilAborted } from '../../../src/base/time/aborted.ts';

t.test('settles as the promise does, and leaves nothing with the signal', async (t) => {
  const { signal } = new AbortController();
  t.equal(await orAborted(Promise.resolve(1), signal), 1);
  await t.rejects(orAborted(Promise.reject(new Error('broken')), signal), { message: 'broken' });
  t.equal(getEventListeners(signal, 'abort').length, 0);
});

t.test('gives up with the reason of the signal, or with what it is told to', async (t) => {
  const never = new Promise(() => undefined);
  const over = new AbortController();
  const ended = t.rejects(orAborted(never, over.signal), { message: 'over' });
  const told = t.rejects(
    orAborted(never, over.signal, () => new Error('given up')),
    { message: 'given up' },
  );
  over.abort(new Error('over'));
  await Promise.all([ended, told]);
  t.equal(getEventListeners(over.signal, 'abort').length, 0);
});

t.test('is given up at once below a signal that was aborted before', async (t) => {
  await t.rejects(orAborted(Promise.resolve(1), AbortSignal.abort(new Error('over'))), { message: 'over' });
});

t.test('a wait for the end itself ends with it, and at once after it', async (t) => {
  const over = new AbortController();
  const wait = untilAborted(over.signal);
  over.abort();
  await wait;
  await untilAborted(over.signal);
  t.pass('both are over');
});

t.test('thousands who listen to one signal are one listener of it', (t) => {
  const over = new AbortController();
  const told: number[] = [];
  const stops = Array.from({ length: 5000 }, (_, index) => onAborted(over.signal, () => told.push(index)));
  t.equal(getEventListeners(over.signal, 'abort').length, 1);
  for (const stop of stops.slice(3)) {
    stop();
    stop();
  }
  onAborted(over.signal, () => stops[1]?.());
  const twice = (): void => void told.push(-1);
  const stopOne = onAborted(over.signal, twice);
  onAborted(over.signal, twice);
  stopOne();
  over.abort();
  t.strictSame(told, [0, 1, 2, -1], 'in the order in which they came');
  for (const stop of stops) stop();
  const other = new AbortController();
  const stop = onAborted(other.signal, () => t.fail('it was let go of'));
  onAborted(other.signal, () => stop())();
  stop();
  t.equal(getEventListeners(other.signal, 'abort').length, 0);
  other.abort();
  t.end();
});
