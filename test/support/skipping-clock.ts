// A clock on which pauses take no time, and are over all the same; timers are the system's.
import { type Clock, createSystemClock } from '../../src/base/time/clock.ts';

export function createSkippingClock(): { readonly clock: Clock; readonly pauses: readonly number[] } {
  const system = createSystemClock();
  const pauses: number[] = [];
  let skippedMs = 0;
  const clock: Clock = {
    ...system,
    now: () => system.now() + skippedMs,
    wall: () => system.wall() + skippedMs,
    async sleep(delayMs, signal) {
      pauses.push(Math.round(delayMs));
      await system.sleep(0, signal);
      skippedMs += delayMs;
    },
  };
  return { clock, pauses };
}
