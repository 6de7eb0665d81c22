// The one limit for all requests to an upstream: how many a second, how many at a time. Who goes next is shared out: those that
// somebody waits for, the callers' own, the background; a flood of one kind delays the others and never stops them.

import { PassingMap } from '../../base/passing-map.ts';
import { onAborted } from '../../base/time/aborted.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import { tokensIn } from '../../base/time/token-bucket.ts';
import type { Priority, Urgency } from '../../store/secret-reading.ts';
import type { Allowance, Charge } from './allowance.ts';
import { givenUp } from './failure.ts';

/** `callers`: requests that local callers make and the agent only passes on. */
export type Lane = Priority | 'callers';

export interface Turn extends Pick<Urgency, 'promoted'> {
  readonly lane: Lane;
  /** What it uses up of limits; absent: one read. */
  readonly charge?: Charge | undefined;
}

export interface Budget {
  /** Resolves when a request may go; the returned function ends it. Rejects `aborted` while it waits. */
  acquire(turn: Turn, signal: AbortSignal): Promise<() => void>;
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
  /** Limits over longer times; absent: there are none. */
  readonly allowance?: Allowance;
}

interface Waiter {
  readonly charge: Charge;
  grant(release: () => void): void;
}

/** How many turns each has while all wait. Where turns fall together the first goes first. */
const weights: Readonly<Record<Lane, number>> = { interactive: 4, callers: 2, background: 1 };
const lanes = Object.keys(weights) as Lane[];
/** How long what can wait may do so for others to go with it. */
const togetherMs = 100;
const oneRead: Charge = { meter: 'reads', units: 1 };

/** A token bucket that holds as many tokens as requests may run at once: a quiet agent answers at once, a start-up is spread. */
export function createBudget(options: BudgetOptions): Budget {
  const { clock, allowance } = options;
  const limits: { concurrency: number; requestsPerSecond: number } = { ...options };
  const queues: Record<Lane, PassingMap<Waiter, true>> = {
    interactive: new PassingMap(),
    callers: new PassingMap(),
    background: new PassingMap(),
  };
  const running: Record<Lane, number> = { interactive: 0, callers: 0, background: 0 };
  const turns = createTurns();
  let bucket = { tokens: limits.concurrency, at: clock.now() };
  const timer = createEarliestTimer(clock, pump);

  const inFlight = (): number => running.interactive + running.callers + running.background;
  const queued = (): number => queues.interactive.size + queues.callers.size + queues.background.size;

  function refill(): void {
    const now = clock.now();
    const filling = { most: limits.concurrency, count: limits.requestsPerSecond, inMs: 1000 };
    bucket = { tokens: tokensIn(bucket, filling, now), at: now };
  }

  function heldFor(lane: Lane, charge: Charge): number {
    return allowance?.waitMs(lane === 'background', charge) ?? 0;
  }

  /** How long its first one has to wait for the sake of a limit. */
  function heldMs(lane: Lane): number {
    const first = queues[lane].first();
    return first === undefined ? 0 : heldFor(lane, first.charge);
  }

  /** A place in four stays free for the agent, however slow the answers to callers are. */
  function hasRoom(lane: Lane): boolean {
    if (inFlight() >= limits.concurrency) return false;
    return lane !== 'callers' || running.callers < Math.max(1, Math.floor(limits.concurrency * 0.75));
  }

  const hasPlace = (lane: Lane): boolean => queues[lane].size > 0 && hasRoom(lane);

  function take(lane: Lane, charge: Charge): () => void {
    bucket.tokens -= 1;
    allowance?.use(lane === 'background', charge);
    running[lane] += 1;
    return once(() => {
      running[lane] -= 1;
      pump();
    });
  }

  /** Where nobody waits it can go at once, or it waits as the others do. */
  function takeNow(lane: Lane, charge: Charge): (() => void) | undefined {
    if (queued() > 0) return undefined;
    refill();
    const isFree = bucket.tokens >= 1 && hasRoom(lane) && !(heldFor(lane, charge) > 0);
    if (!isFree) return undefined;
    turns.begin(lane);
    turns.next([lane]);
    return take(lane, charge);
  }

  /** Where nobody waits for an answer some go together: a wake for each would cost as much as they do. */
  function tokensWanted(): number {
    if (queues.interactive.size + queues.callers.size > 0) return 1;
    const most = Math.min(limits.concurrency, Math.floor((limits.requestsPerSecond * togetherMs) / 1000));
    return Math.max(1, Math.min(queues.background.size, most));
  }

  function pump(): void {
    if (queued() === 0) return;
    refill();
    while (bucket.tokens >= 1) {
      const lane = turns.next(lanes.filter((one) => hasPlace(one) && heldMs(one) === 0));
      const waiter = lane === undefined ? undefined : queues[lane].first();
      if (lane === undefined || waiter === undefined) break;
      queues[lane].delete(waiter);
      waiter.grant(take(lane, waiter.charge));
    }
    const missing = Math.max(0, tokensWanted() - bucket.tokens);
    const forTokenMs = Math.ceil((missing / limits.requestsPerSecond) * 1000);
    const waits = lanes.filter(hasPlace).map((lane) => Math.max(forTokenMs, heldMs(lane)));
    if (waits.length > 0) timer.within(Math.min(...waits));
  }

  function enter(lane: Lane, waiter: Waiter): void {
    if (queues[lane].size === 0) turns.begin(lane);
    queues[lane].set(waiter, true);
  }

  return {
    acquire(turn, signal) {
      const { promoted, charge = oneRead } = turn;
      if (signal.aborted) return Promise.reject(givenUp());
      let lane: Lane = promoted?.aborted === true ? 'interactive' : turn.lane;
      const release = takeNow(lane, charge);
      if (release !== undefined) return Promise.resolve(release);
      return new Promise((resolve, reject) => {
        let isGranted = false;
        let stopListening: readonly (() => void)[] = [];
        const leave = () => {
          queues[lane].delete(waiter);
          for (const stop of stopListening) stop();
        };
        const waiter: Waiter = {
          charge,
          grant(releaseOne) {
            isGranted = true;
            leave();
            resolve(releaseOne);
          },
        };
        const giveUp = () => {
          leave();
          // A plan for nobody would keep a process that ends.
          if (queued() === 0) timer.cancel();
          reject(givenUp());
        };
        const promote = () => {
          queues[lane].delete(waiter);
          lane = 'interactive';
          enter(lane, waiter);
        };
        enter(lane, waiter);
        pump();
        if (isGranted) return;
        stopListening = [onAborted(signal, giveUp), ...(promoted ? [onAborted(promoted, promote)] : [])];
      });
    },
    setLimits(next) {
      refill();
      Object.assign(limits, { concurrency: next.concurrency, requestsPerSecond: next.requestsPerSecond });
      timer.cancel();
      pump();
    },
    status: () => ({ inFlight: inFlight(), queued: queued() }),
  };
}

/** Stride scheduling: each turn costs a lane the inverse of its weight, and the lane that has paid least goes next. */
function createTurns() {
  const paid: Record<Lane, number> = { interactive: 0, callers: 0, background: 0 };
  let level = 0;
  return {
    /** A lane that was idle has saved nothing up. */
    begin(lane: Lane): void {
      paid[lane] = Math.max(paid[lane], level + 1 / weights[lane]);
    },
    next(ready: readonly Lane[]): Lane | undefined {
      const lane = ready.reduce<Lane | undefined>(
        (best, one) => (best === undefined || paid[one] < paid[best] ? one : best),
        undefined,
      );
      if (lane === undefined) return undefined;
      level = paid[lane];
      paid[lane] += 1 / weights[lane];
      return lane;
    },
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
