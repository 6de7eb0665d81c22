// One timer for wishes that come one after the other: it goes off at the earliest of them, and once.

import type { Clock, Timer } from './clock.ts';

export interface EarliestTimer {
  /** Goes off in `delayMs`, or before where it was to. */
  within(delayMs: number): void;
  isPlanned(): boolean;
  cancel(): void;
}

export function createEarliestTimer(clock: Clock, callback: () => void): EarliestTimer {
  let planned: { readonly at: number; readonly timer: Timer } | undefined;

  function cancel(): void {
    planned?.timer.cancel();
    planned = undefined;
  }

  return {
    within(delayMs) {
      const at = clock.now() + delayMs;
      if (planned !== undefined && planned.at <= at) return;
      cancel();
      const timer = clock.setTimer(delayMs, () => {
        planned = undefined;
        callback();
      });
      planned = { at, timer };
    },
    isPlanned: () => planned !== undefined,
    cancel,
  };
}
