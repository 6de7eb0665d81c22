// Timers by the moment at which they go off: those of one moment share one of the platform's. Polls are planned on a common
// beat (schedule-policy.ts), so that a thousand secrets wake the process a few times a second and not a thousand times.

import { PassingMap } from '../../base/passing-map.ts';
import type { Clock } from '../../base/time/clock.ts';

export interface SharedTimers {
  /** At a moment of the monotonic clock; a callback is there once for one moment. */
  at(moment: number, callback: () => void): SharedMoment;
}

/** Common to all who wait for it: a plan of each poll lives until the next one, and should keep little. */
export interface SharedMoment {
  /** Does nothing where it is not waited for, or has gone off. */
  cancel(callback: () => void): void;
}

interface Moment extends SharedMoment {
  readonly callbacks: Set<() => void>;
}

export function createSharedTimers(clock: Clock): SharedTimers {
  const moments = new PassingMap<number, Moment>();

  function begin(moment: number): Moment {
    const callbacks = new Set<() => void>();
    const timer = clock.setTimer(Math.ceil(moment - clock.now()), () => {
      moments.delete(moment);
      for (const callback of callbacks) callback();
    });
    const begun: Moment = {
      callbacks,
      cancel(callback) {
        callbacks.delete(callback);
        if (callbacks.size > 0 || moments.get(moment) !== begun) return;
        moments.delete(moment);
        timer.cancel();
      },
    };
    moments.set(moment, begun);
    return begun;
  }

  return {
    at(moment, callback) {
      const begun = moments.get(moment) ?? begin(moment);
      begun.callbacks.add(callback);
      return begun;
    },
  };
}
