import { getEventListeners } from 'node:events';
import t from 'tap';
import { orAborted, untilAborted } from '../../../src/base/time/aborted.ts';

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
