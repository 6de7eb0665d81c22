// Notices that wall time and monotonic time went apart: a suspended host (the monotonic clock of Linux stands still
// meanwhile) or a clock that was set. Which of the two cannot be told.
import type { Clock, Timer } from '../base/time/clock.ts';

export interface ClockWatch {
  start(): void;
  /** Looks now instead of at the next tick. */
  check(): void;
  /** Wall time, after a look: whoever tells people a time by it tells ends that have been moved with it. */
  wall(): number;
  close(): void;
}

interface ClockWatchOptions {
  clock: Clock;
  intervalMs: number;
  /** Smaller drifts (NTP slewing) are taken up silently. */
  thresholdMs: number;
  /** Positive: wall time ran ahead. */
  onJump: (jumpMs: number) => void;
}

export function createClockWatch(options: ClockWatchOptions): ClockWatch {
  const { clock, intervalMs, thresholdMs, onJump } = options;
  let offset = clock.wall() - clock.now();
  let timer: Timer | undefined;

  function wall(): number {
    const before = offset;
    const now = clock.wall();
    offset = now - clock.now();
    if (Math.abs(offset - before) > thresholdMs) onJump(offset - before);
    return now;
  }

  function tick(): void {
    timer = clock.setTimer(intervalMs, tick);
    wall();
  }

  return {
    start() {
      offset = clock.wall() - clock.now();
      timer = clock.setTimer(intervalMs, tick);
    },
    check: () => void wall(),
    wall,
    close: () => timer?.cancel(),
  };
}
