// The next step of a secret: shown at its entries, and waited for.
import { type Clock, wallAt } from '../../base/time/clock.ts';
import type { Store } from '../../store/store.ts';
import type { PlannedStep } from './schedule-policy.ts';
import type { SharedMoment, SharedTimers } from './shared-timers.ts';

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
  let waiting: { readonly step: PlannedStep; readonly moment: SharedMoment } | undefined;

  function set(next: PlannedStep | undefined): void {
    waiting?.moment.cancel(due);
    waiting = undefined;
    const shown = next && { action: next.action, at: wallAt(clock, next.at), why: next.why };
    for (const key of members) store.plan(key, shown);
    if (next === undefined || !Number.isFinite(next.at) || !options.isWanted()) return;
    waiting = { step: next, moment: timers.at(next.at, due) };
  }

  function due(): void {
    if (waiting === undefined) return;
    const { step } = waiting;
    waiting = undefined;
    // Timers of the platform may be early, and are shorter than some plans.
    if (clock.now() < step.at) set(step);
    else options.onTime(step);
  }

  return { set };
}
