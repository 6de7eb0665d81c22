import t from 'tap';
import { createEarliestTimer } from '../../../src/base/time/earliest-timer.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

t.test('goes off at the earliest of what is wished for, once', async (t) => {
  const clock = createFakeClock();
  let count = 0;
  const timer = createEarliestTimer(clock, () => (count += 1));
  timer.within(100);
  timer.within(200);
  t.equal(clock.pending, 1);
  timer.within(50);
  t.equal(clock.pending, 1, 'the later one was taken back');
  await clock.advance(49);
  t.equal(count, 0);
  await clock.advance(1000);
  t.equal(count, 1);
  timer.within(10);
  timer.cancel();
  await clock.advance(1000);
  t.equal(count, 1);
  timer.within(10);
  await clock.advance(10);
  t.equal(count, 2, 'it can be set again');
});
