import { getEventListeners } from 'node:events';
import t from 'tap';
import { createOpenRequests, type OpenRequest } from '../../../src/upstream/http/open-requests.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function start() {
  const clock = createFakeClock();
  const open = createOpenRequests(clock);
  const ended: string[] = [];
  function begin(name: string, afterMs: number, { signal } = new AbortController()): OpenRequest {
    const giveUp = (isOver: boolean) => void ended.push(`${name} ${isOver ? 'over' : 'aborted'}`);
    const request = { signal, endsAt: clock.now() + afterMs, giveUp };
    open.begin(request);
    return request;
  }
  return { clock, open, ended, begin };
}

t.test('ends each at its own time, to the millisecond, by one timer', async (t) => {
  const { clock, open, ended, begin } = start();
  begin('late', 300);
  begin('early', 100);
  const done = begin('done', 200);
  t.equal(clock.pending, 1);
  await clock.advance(99);
  t.strictSame(ended, []);
  await clock.advance(1);
  t.strictSame(ended, ['early over']);
  open.end(done);
  await clock.advance(199);
  t.strictSame(ended, ['early over']);
  await clock.advance(1);
  t.strictSame(ended, ['early over', 'late over']);
  t.equal(clock.pending, 0, 'nothing is left to go off');
});

t.test('ends those of a signal with it, by one listener, and no others', async (t) => {
  const { clock, open, ended, begin } = start();
  const [mine, other] = [new AbortController(), new AbortController()];
  begin('first', 100, mine);
  const second = begin('second', 100, mine);
  const third = begin('third', 100, other);
  t.equal(getEventListeners(mine.signal, 'abort').length, 1);
  open.end(second);
  open.end(second);
  mine.abort();
  t.strictSame(ended, ['first aborted']);
  await clock.advance(99);
  open.end(third);
  await clock.advance(1000);
  t.strictSame(ended, ['first aborted'], 'neither twice nor after its end');
  t.equal(getEventListeners(other.signal, 'abort').length, 0);
  t.equal(clock.pending, 0);
});

t.test('what begins after the last has ended is looked after as the first was', async (t) => {
  const { clock, open, ended, begin } = start();
  const shared = new AbortController();
  open.end(begin('before', 50, shared));
  begin('after', 50, shared);
  shared.abort();
  begin('alone', 50);
  await clock.advance(50);
  t.strictSame(ended, ['after aborted', 'alone over']);
});
