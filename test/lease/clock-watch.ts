import t from 'tap';
import { createClockWatch } from '../../src/lease/clock-watch.ts';
import { createFakeClock } from '../support/fake-clock.ts';

t.test('tells of jumps either way once, and not of slewing', async (t) => {
  const clock = createFakeClock();
  const jumps: number[] = [];
  const watch = createClockWatch({
    clock,
    intervalMs: 5000,
    thresholdMs: 2000,
    onJump: (ms) => jumps.push(Math.round(ms)),
  });
  watch.start();
  await clock.advance(60_000);
  clock.jumpWall(1500);
  await clock.advance(60_000);
  t.same(jumps, []);
  clock.jumpWall(3_600_000);
  await clock.advance(5000);
  clock.jumpWall(-60_000);
  watch.check();
  t.same(jumps, [3_600_000, -60_000]);
  watch.close();
  t.equal(clock.pending, 0);
});
