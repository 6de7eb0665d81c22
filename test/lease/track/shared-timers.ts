import t from 'tap';
import { createSharedTimers } from '../../../src/lease/track/shared-timers.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

t.test(
  'what goes off at one moment takes one timer of the platform, and any of it can be taken back',
  async (t) => {
    const clock = createFakeClock();
    const timers = createSharedTimers(clock);
    const heard: string[] = [];
    const set = (name: string, at: number) => {
      const callback = () => void heard.push(name);
      const moment = timers.at(at, callback);
      return { cancel: () => moment.cancel(callback) };
    };
    const [, b] = [set('a', 100), set('b', 100), set('c', 100), set('d', 250)];
    t.equal(clock.pending, 2);
    b?.cancel();
    await clock.advance(99);
    t.same(heard, []);
    await clock.advance(1);
    t.same(heard, ['a', 'c']);
    b?.cancel();
    const [e, f] = [set('e', 300), set('f', 300)];
    e.cancel();
    e.cancel();
    t.equal(clock.pending, 2, 'one is still wanted');
    f.cancel();
    t.equal(clock.pending, 1, 'nobody wants it any more');
    set('g', 300);
    await clock.advance(1000);
    t.same(heard, ['a', 'c', 'd', 'g']);
    t.equal(clock.pending, 0);
  },
);

t.test('one set from within, for the same moment, goes off as well', async (t) => {
  const clock = createFakeClock();
  const timers = createSharedTimers(clock);
  let count = 0;
  timers.at(10, () => timers.at(10, () => (count += 1)));
  await clock.advance(11);
  t.equal(count, 1);
});
