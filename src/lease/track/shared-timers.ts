// Timers by the moment at which they go off: those of one moment share one of the platform's. Polls are planned on a common
// beat (schedule-policy.ts), so that a thousand secrets wake the process a few times a second and not a thousand times.
import type { Clock, Timer } from '../../base/time/clock.ts';

export interface SharedTimers {
  /** At a moment of the monotonic clock. */
  at(moment: number, callback: () => void): Timer;
}

interface Moment {
  readonly callbacks: Set<() => void>;
  readonly timer: Timer;
}

export function createSharedTimers(clock: Clock): SharedTimers {
  const moments = new Map<number, Moment>();

  function begin(moment: number): Moment {
    const callbacks = new Set<() => void>();
    const timer = clock.setTimer(Math.ceil(moment - clock.now()), () => {
      moments.delete(moment);
      for (const callback of callbacks) callback();
    });
    const begun = { callbacks, timer };
    moments.set(moment, begun);
    return begun;
  }

  return {
    at(moment, callback) {
      const { callbacks, timer } = moments.get(moment) ?? begin(moment);
      // Its own, so that the same function may be set twice.
      const call = () => callback();
      callbacks.add(call);
      return {
        cancel() {
          callbacks.delete(call);
          if (callbacks.size > 0 || moments.get(moment)?.callbacks !== callbacks) return;
          moments.delete(moment);
          timer.cancel();
        },
      };
    },
  };
}
