// The requests under way at one upstream: each ends with its signal or with its time, by one timer for all of them and one
// listener for those of one signal. A timer and a listener of its own would be a tenth of what a poll costs.
import { PassingMap } from '../../base/passing-map.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';

export interface OpenRequest {
  readonly signal: AbortSignal;
  /** Monotonic milliseconds. */
  readonly endsAt: number;
  /** Its time is over, or (`isOver` false) its signal came; it is no longer looked after then. */
  giveUp(isOver: boolean): void;
}

export interface OpenRequests {
  /** Its signal has not come yet. */
  begin(request: OpenRequest): void;
  /** Once is enough; more do no harm. */
  end(request: OpenRequest): void;
}

export function createOpenRequests(clock: Clock): OpenRequests {
  const open = new PassingMap<OpenRequest, true>();
  const listening = new PassingMap<AbortSignal, { users: number; readonly listener: () => void }>();
  const timer = createEarliestTimer(clock, lookAtTime);

  function lookAtTime(): void {
    const now = clock.now();
    for (const request of open.keys()) {
      if (request.endsAt > now) continue;
      end(request);
      request.giveUp(true);
    }
    for (const { endsAt } of open.keys()) timer.within(endsAt - now);
  }

  function listenTo(signal: AbortSignal): { users: number } {
    const listener = (): void => {
      for (const request of open.keys()) {
        if (request.signal !== signal) continue;
        end(request);
        request.giveUp(false);
      }
    };
    signal.addEventListener('abort', listener, { once: true });
    const listened = { users: 0, listener };
    listening.set(signal, listened);
    return listened;
  }

  function end(request: OpenRequest): void {
    if (!open.delete(request)) return;
    if (open.size === 0) timer.cancel();
    const { signal } = request;
    const listened = listening.get(signal);
    if (listened === undefined) return;
    listened.users -= 1;
    if (listened.users > 0) return;
    listening.delete(signal);
    signal.removeEventListener('abort', listened.listener);
  }

  return {
    begin(request) {
      open.set(request, true);
      (listening.get(request.signal) ?? listenTo(request.signal)).users += 1;
      timer.within(request.endsAt - clock.now());
    },
    end,
  };
}
