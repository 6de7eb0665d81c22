// Time as the agent sees it: monotonic for every schedule, wall time only to tell people and compare with upstream.
import { setTimeout as delay } from 'node:timers/promises';

export interface Timer {
  cancel(): void;
}

/** Everything that waits takes a Clock, so that tests can run days in milliseconds. */
export interface Clock {
  /** Monotonic milliseconds; the zero point means nothing. */
  now(): number;
  /** Wall time in milliseconds since 1970. */
  wall(): number;
  /** Calls once after `delayMs` (clamped to what the platform's timers hold: about 24.8 days). */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted before. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** The wall time of a monotonic moment. */
export function wallAt(clock: Clock, at: number): number {
  return clock.wall() + (at - clock.now());
}

const longestTimerMs = 2 ** 31 - 1;

/** Whole milliseconds, as timers count in them: a part of one would wake before the moment. */
function timerMs(delayMs: number): number {
  return Math.min(Math.ceil(Math.max(0, delayMs)), longestTimerMs);
}

export function createSystemClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimer(delayMs, callback) {
      const timer = setTimeout(callback, timerMs(delayMs));
      return { cancel: () => clearTimeout(timer) };
    },
    async sleep(delayMs, signal) {
      signal?.throwIfAborted();
      try {
        await delay(timerMs(delayMs), undefined, signal ? { signal } : {});
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      }
    },
  };
}
