// The next step of a secret: shown at its entries, and waited for.
import { type Clock, type Timer, wallAt } from '../../base/time/clock.ts';
import type { Store } from '../../store/store.ts';
import type { PlannedStep } from './schedule-policy.ts';
import type { SharedTimers } from './shared-timers.ts';

export interface PlannedTimer {
  /** In place of what was planned; undefined: nothing is. */
  set(next: PlannedStep | undefined): void;
}

interface PlannedTimerOptions {
  readonly clock: Clock;
  readonly store: Store;
  readonly timers: SharedTimers;
  /** Keys of the entries. */
  readonly members: ReadonlySet<string>;
  /** Somebody wants it to come to its time. */
  readonly isWanted: () => boolean;
  readonly onTime: (step: PlannedStep) => void;
}

export function createPlannedTimer(options: PlannedTimerOptions): PlannedTimer {
  const { clock, store, timers, members } = options;
  let timer: Timer | undefined;

  function set(next: PlannedStep | undefined): void {
    timer?.cancel();
    timer = undefined;
    const shown = next && { action: next.action, at: wallAt(clock, next.at), why: next.why };
    for (const key of members) store.plan(key, shown);
    if (next === undefined || !Number.isFinite(next.at) || !options.isWanted()) return;
    timer = timers.at(next.at, () => {
      // Timers of the platform may be early, and are shorter than some plans.
      if (clock.now() < next.at) set(next);
      else options.onTime(next);
    });
  }

  return { set };
}
