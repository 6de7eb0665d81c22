// Calls back when wall time has passed an instant, however far away. Owns its timers; what ends is its callers' affair.
import type { Clock, Timer } from '../../../../src/base/time/clock.ts';

export interface Expiry {
  /** Sets or moves the end of `key`; undefined takes it away. */
  set(key: string, atMs: number | undefined, ended: () => void): void;
  clear(key: string): void;
  close(): void;
}

// Below what any platform's timers hold; a longer wait is taken in steps.
const longestStepMs = 24 * 3_600_000;

export function createExpiry(clock: Clock): Expiry {
  const timers = new Map<string, Timer>();
  const clear = (key: string): void => {
    timers.get(key)?.cancel();
    timers.delete(key);
  };
  const set = (key: string, atMs: number | undefined, ended: () => void): void => {
    clear(key);
    if (atMs === undefined) return;
    const remainingMs = atMs - clock.wall();
    const step = Math.min(Math.max(0, remainingMs), longestStepMs);
    timers.set(
      key,
      clock.setTimer(step, () => {
        timers.delete(key);
        if (clock.wall() >= atMs) ended();
        else set(key, atMs, ended);
      }),
    );
  };
  return {
    set,
    clear,
    close() {
      for (const key of [...timers.keys()]) clear(key);
    },
  };
}
