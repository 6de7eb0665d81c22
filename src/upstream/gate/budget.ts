// The one limit for all requests to an upstream: so many a second, so many at a time, people before background work.
import type { Clock, Timer } from '../../base/clock.ts';
import { LatchkeyError } from '../../base/errors.ts';
import type { Priority, Urgency } from '../../store/secret-reading.ts';

export interface Budget {
  /** Resolves when a request may go; the returned function ends it. Rejects `aborted` while it waits. */
  acquire(urgency: Urgency, signal: AbortSignal): Promise<() => void>;
  /** From now on; what is under way goes on. */
  setLimits(limits: BudgetLimits): void;
  status(): { inFlight: number; queued: number };
}

export interface BudgetLimits {
  readonly requestsPerSecond: number;
  readonly concurrency: number;
}

export interface BudgetOptions extends BudgetLimits {
  readonly clock: Clock;
}

interface Waiter {
  grant(release: () => void): void;
}

/** After so many interactive requests in a row a waiting background request goes, so that none starves. */
const interactiveInARow = 4;

/** A token bucket that holds as many tokens as requests may run at once: a quiet agent answers at once, a start-up is spread. */
export function createBudget(options: BudgetOptions): Budget {
  const { clock } = options;
  let { concurrency, requestsPerSecond } = options;
  const waiting: Record<Priority, Set<Waiter>> = { interactive: new Set(), background: new Set() };
  let tokens = concurrency;
  let filledAt = clock.now();
  let inFlight = 0;
  let streak = 0;
  let timer: Timer | undefined;

  function refill(): void {
    const now = clock.now();
    tokens = Math.min(concurrency, tokens + ((now - filledAt) / 1000) * requestsPerSecond);
    filledAt = now;
  }

  function next(): Waiter | undefined {
    const { interactive, background } = waiting;
    const isBackgroundDue = interactive.size === 0 || streak >= interactiveInARow;
    const from = isBackgroundDue && background.size > 0 ? background : interactive;
    const [waiter] = from;
    if (waiter === undefined) return undefined;
    from.delete(waiter);
    streak = from === interactive && background.size > 0 ? streak + 1 : 0;
    return waiter;
  }

  function release(): void {
    inFlight -= 1;
    pump();
  }

  function pump(): void {
    refill();
    while (inFlight < concurrency && tokens >= 1) {
      const waiter = next();
      if (waiter === undefined) return;
      tokens -= 1;
      inFlight += 1;
      waiter.grant(once(release));
    }
    const isRateTheLimit = inFlight < concurrency && waiting.interactive.size + waiting.background.size > 0;
    if (!isRateTheLimit || timer !== undefined) return;
    const waitMs = Math.ceil(((1 - tokens) / requestsPerSecond) * 1000);
    timer = clock.setTimer(waitMs, () => {
      timer = undefined;
      pump();
    });
  }

  return {
    acquire({ priority, promoted }, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(givenUp());
        let queue = waiting[promoted?.aborted === true ? 'interactive' : priority];
        const leave = () => {
          queue.delete(waiter);
          signal.removeEventListener('abort', giveUp);
          promoted?.removeEventListener('abort', promote);
        };
        const waiter: Waiter = {
          grant(releaseOne) {
            leave();
            resolve(releaseOne);
          },
        };
        const giveUp = () => {
          leave();
          reject(givenUp());
        };
        const promote = () => {
          queue.delete(waiter);
          queue = waiting.interactive;
          queue.add(waiter);
        };
        signal.addEventListener('abort', giveUp, { once: true });
        promoted?.addEventListener('abort', promote, { once: true });
        queue.add(waiter);
        pump();
      });
    },
    setLimits(limits) {
      refill();
      ({ concurrency, requestsPerSecond } = limits);
      timer?.cancel();
      timer = undefined;
      pump();
    },
    status: () => ({ inFlight, queued: waiting.interactive.size + waiting.background.size }),
  };
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}

function givenUp(): LatchkeyError {
  return new LatchkeyError('aborted', 'the request was given up while it waited for its turn');
}
