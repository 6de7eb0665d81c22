// The one timer of a track: plans the next step, tells the store of it, and sets it off when its time has come.
import type { Timer } from '../base/clock.ts';
import { errorCode, LatchkeyError } from '../base/errors.ts';
import { expiryAt, isOutage } from './failure-policy.ts';
import { orExpire, type PlannedStep, planAfterRecovery, planNext } from './schedule-policy.ts';
import { logFields, type TrackContext, toWall, viewOf } from './track-context.ts';

export interface TrackPlan {
  /** Plans anew by what is known now. */
  replan(): void;
  /** While a request is under way only the end of the value counts. */
  awaitAnswer(): void;
  upstreamRecovered(): void;
  clear(): void;
}

/** `onDue` is called when upstream should be asked. */
export function createTrackPlan(context: TrackContext, onDue: () => void): TrackPlan {
  const { store, clock, random, limits, sources, reference } = context;
  let plan: PlannedStep | undefined;
  let timer: Timer | undefined;
  let isAwaiting = false;
  let isParked = false;

  function set(next: PlannedStep | undefined): void {
    timer?.cancel();
    timer = undefined;
    isParked = false;
    plan = next;
    const isOver = next === undefined || context.isStopped || context.members.size === 0;
    const at = isOver ? Number.POSITIVE_INFINITY : next.at;
    const isTimed = next !== undefined && Number.isFinite(at);
    const shown = next && { action: next.action, at: toWall(clock, next.at), why: next.why };
    for (const key of context.members) store.plan(key, shown);
    if (isTimed) timer = clock.setTimer(at - clock.now(), onTimer);
  }

  function replan(): void {
    isAwaiting = false;
    set(planNext(viewOf(context), clock.now(), random, limits));
  }

  function onTimer(): void {
    const now = clock.now();
    // Timers of the platform may be early, and are shorter than some plans.
    if (plan === undefined || now < plan.at) set(plan);
    else if (plan.action === 'expire') expire();
    else if (!sources.isAway(reference.upstream)) onDue();
    else park(now);
  }

  /** Upstream is away: its gate finds out when it is back, and the engine is told. */
  function park(now: number): void {
    const at = now + limits.retry.maxMs * (0.5 + random() / 2);
    const why = `waits for upstream ${reference.upstream} to answer again`;
    set(orExpire(viewOf(context), { action: 'retry', at, why }, now));
    isParked = true;
  }

  function expire(): void {
    const at = expiryAt(viewOf(context));
    if (!context.isExpired && at !== undefined && at <= clock.now()) {
      context.isExpired = true;
      const error = context.lastError ?? endedError(context);
      const fields = { ...logFields(context), code: errorCode(error) };
      context.logger.warn(fields, 'the secret has expired and is handed out no more');
      for (const key of [...context.members]) store.fail(key, error, 'expired');
    }
    if (isAwaiting) set(undefined);
    else replan();
  }

  return {
    replan() {
      if (!isAwaiting) replan();
    },
    awaitAnswer() {
      isAwaiting = true;
      const at = context.isExpired ? undefined : expiryAt(viewOf(context));
      set(at === undefined ? undefined : { action: 'expire', at, why: 'the answer of upstream is awaited' });
    },
    upstreamRecovered() {
      const isHit = isParked || (context.failure !== undefined && isOutage(context.failure.code));
      if (!isAwaiting && isHit) set(planAfterRecovery(viewOf(context), clock.now(), random, limits));
    },
    clear() {
      isAwaiting = false;
      set(undefined);
    },
  };
}

function endedError({ canonicalKey, floor, clock }: TrackContext): LatchkeyError {
  const seconds = Math.ceil((floor.allowedAt(canonicalKey) - clock.now()) / 1000);
  const limit = seconds > 0 ? `; the mint floor lets the next one be made in ${seconds} s` : '';
  return new LatchkeyError(
    'lease_lost',
    `${canonicalKey}: the credential ended before there was another${limit}`,
  );
}
