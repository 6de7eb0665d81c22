// A clock that runs `factor` times as fast as the real one, for code that waits between requests over real sockets.
import { type Clock, createSystemClock } from '../../src/base/time/clock.ts';

export function createFastClock(factor: number): Clock {
  const system = createSystemClock();
  const wallZero = system.wall();
  const zero = system.now();
  const now = () => zero + (system.now() - zero) * factor;
  return {
    now,
    wall: () => wallZero + now() - zero,
    setTimer: (delayMs, callback) => system.setTimer(delayMs / factor, callback),
    sleep: (delayMs, signal) => system.sleep(delayMs / factor, signal),
  };
}
