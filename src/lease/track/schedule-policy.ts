// When to ask upstream for a secret again, and for what: pure decisions on monotonic milliseconds. What a failure
// means is in failure-policy.ts; who carries the plan out is secret-track.ts. In words: docs/reference/schedule.md.
import type { BackoffLimits } from '../../base/time/backoff.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import { renewDelayMs } from '../../base/time/renewal-policy.ts';
import type { PlannedAction } from '../../store/entry.ts';
import type { NoticedBy } from '../../store/notice.ts';
import type { AskMode } from './asking.ts';
import { expiryAt, retryDelayMs } from './failure-policy.ts';
import { type FailureView, isMinted, isUrgent, type SecretView, type ValueView } from './secret-view.ts';

export interface ScheduleLimits {
  /** A secret is never asked for more often than this. */
  readonly minIntervalMs: number;
  /** A path gives at most one credential in this time, or in a twentieth of its life where that is shorter. */
  readonly mintFloorMs: number;
  readonly retry: BackoffLimits;
  /** After an outage what can wait is spread over at most this time. */
  readonly recoverySpreadMs: number;
}

/**
 * What is woken for together costs a fifth less than on a beat of half of that; and of a thousand secrets that are polled every
 * 30 s about as many fall on one as an upstream is asked at a time.
 */
const longestBeatMs = 500;

export const defaultScheduleLimits: ScheduleLimits = {
  minIntervalMs: 250,
  mintFloorMs: 60_000,
  retry: { minMs: 1000, maxMs: 60_000 },
  recoverySpreadMs: 300_000,
};

/** `PlannedAction` on the monotonic clock. */
export interface PlannedStep {
  readonly action: PlannedAction['action'];
  readonly at: number;
  readonly why: string;
}

export type RequestKind = 'read' | 'renew' | 'poll';

/** What a request is sent for whose time has come. */
export function noticedBy({ action }: PlannedStep, { value }: SecretView): NoticedBy {
  if (action === 'retry') return 'retry';
  if (value === undefined) return 'start';
  return action === 'renew' || action === 'replace' ? 'lease' : 'poll';
}

/** The next step for a secret. `random` gives numbers in [0, 1). */
export function planNext(
  view: SecretView,
  now: number,
  random: () => number,
  limits: ScheduleLimits,
): PlannedStep {
  const isHealthy = view.failure === undefined;
  const wanted = isHealthy ? planHealthy(view, now, random) : planRetry(view, now, random, limits);
  return orExpire(view, holdToFloors(view, wanted, now, limits), now);
}

/** The step, or the end of the value where that comes before. */
export function orExpire(view: SecretView, step: PlannedStep, now: number): PlannedStep {
  const expiry = view.isExpired ? undefined : expiryAt(view);
  if (expiry === undefined || expiry > step.at) return step;
  return { action: 'expire', at: Math.max(now, expiry), why: expiryReason(view) };
}

/**
 * The next step of a secret whose upstream has just come back. What is needed most comes first; what can wait is spread,
 * so that a fleet does not arrive at once.
 */
export function planAfterRecovery(
  view: SecretView,
  now: number,
  random: () => number,
  limits: ScheduleLimits,
): PlannedStep {
  const why = 'upstream answers again';
  const { value } = view;
  // Hosts come apart by when each of them finds that it answers again.
  if (value === undefined || view.isExpired)
    return orExpire(view, holdToFloors(view, { action: 'retry', at: now, why }, now, limits), now);
  const slack =
    value.endsAt === undefined
      ? Math.min(view.policy.refreshMs, limits.retry.maxMs)
      : Math.max(0, value.endsAt - now - leadMs(value.lifeMs, 0));
  const at = now + random() * Math.min(slack, limits.recoverySpreadMs);
  return orExpire(view, holdToFloors(view, { action: 'retry', at, why }, now, limits), now);
}

/** What to send when the time of a `retry`, `renew`, `replace`, `poll` or `read` has come. */
export function chooseRequest(view: SecretView, now: number): RequestKind {
  const { value, failure } = view;
  if (value === undefined || view.isExpired) return 'read';
  if (!isMinted(value.kind)) return 'poll';
  if (!value.canRenew || value.endsAt === undefined) return 'read';
  if (failure === undefined) return value.doubtUntil !== undefined || value.endsAt > now ? 'renew' : 'read';
  // A renewal that has failed so far leaves the rest of the life to a replacement.
  return value.endsAt - now > leadMs(value.lifeMs, 0) ? 'renew' : 'read';
}

/** How long a request of the schedule may wait for others to go with it; an event wants to be heard at once. */
export function slackOf(mode: AskMode, refreshMs: number): number {
  return mode === 'due' ? refreshMs / 10 : 50;
}

/** The same for somebody who asks; `none`: what there is is kept. */
export function requestFor(mode: AskMode, view: SecretView, now: number): RequestKind | 'none' {
  const { value, isExpired, failure } = view;
  const request = chooseRequest(view, now);
  if (mode === 'due' || value === undefined || isExpired) return request;
  if (mode === 'replace' || mode === 'rotate' || !isMinted(value.kind)) return 'read';
  // A lease that cannot be renewed cannot be asked for either: it is kept.
  return request === 'renew' || failure !== undefined ? request : 'none';
}

/**
 * How long after a mint the same path gives no other credential: a twentieth of its life, so that the lead before its end
 * holds two tries; 1 s at least, `mintFloorMs` at most.
 */
export function mintFloorMs(lifeMs: number, limits: ScheduleLimits): number {
  return Math.max(Math.min(1000, limits.mintFloorMs), Math.min(limits.mintFloorMs, lifeMs / 20));
}

/**
 * How long before its end a credential is replaced, so that its users have time to move: 10 to 20 % of its life, but
 * about 10 s (or a quarter of a very short life) at least. `share` in [0, 1) chooses between.
 */
export function leadMs(lifeMs: number, share: number): number {
  return Math.max(lifeMs * (0.1 + 0.1 * share), Math.min(10_000, lifeMs / 4) * (0.8 + 0.2 * share));
}

function planHealthy(view: SecretView, now: number, random: () => number): PlannedStep {
  const { value } = view;
  if (value === undefined) return { action: 'read', at: now, why: 'it was never read' };
  if (view.isExpired) return { action: 'read', at: now, why: 'the last value has expired' };
  const { refreshMs, statedRefreshMs } = view.policy;
  if (value.kind === 'leased') return planLease(statedRefreshMs, value, now, random);
  if (value.kind === 'expiring') return planIssued(statedRefreshMs, value, now, random);
  return planPoll(refreshMs, value, now, random);
}

function planLease(
  refreshMs: number | undefined,
  value: ValueView,
  now: number,
  random: () => number,
): PlannedStep {
  if (value.endsAt === undefined) return neverEnding;
  if (value.canRenew) {
    const delayMs = renewDelayMs(value.endsAt - value.confirmedAt, random);
    const lookMs = (refreshMs ?? Number.POSITIVE_INFINITY) * (0.8 + 0.4 * random());
    if (lookMs < delayMs && !value.isShort) {
      const why = 'it is renewed every refresh, which tells whether somebody revoked it';
      return { action: 'renew', at: Math.max(now, value.confirmedAt + lookMs), why };
    }
    // What remains must hold a replacement too, where this renewal shows that there is no other.
    const at = value.confirmedAt + (value.isShort ? delayMs / 2 : delayMs);
    const why =
      value.doubtUntil !== undefined
        ? 'the clock jumped, the lease may have ended'
        : `lease is at ${value.isShort ? 'a third' : 'two thirds'} of what remains`;
    return { action: 'renew', at: Math.max(now, at), why };
  }
  const lead = leadMs(value.lifeMs, random());
  const at = Math.max(now, value.endsAt - lead);
  const why =
    value.endsWith === 'token'
      ? 'the login token that it was issued under ends, and the lease with it'
      : 'lease cannot be renewed any more and ends soon after';
  return { action: 'replace', at, why };
}

function planIssued(
  refreshMs: number | undefined,
  value: ValueView,
  now: number,
  random: () => number,
): PlannedStep {
  if (value.endsAt === undefined) {
    if (refreshMs === undefined) return endless;
    const at = Math.max(now, value.confirmedAt + refreshMs * (0.9 + 0.2 * random()));
    return { action: 'replace', at, why: 'no end was told; it is made again every refresh' };
  }
  const share = 0.15 + 0.15 * random();
  const at = Math.max(now, value.endsAt - value.lifeMs * share);
  return { action: 'replace', at, why: `certificate is at ${Math.round(100 * (1 - share))} % of its life` };
}

function planPoll(refreshMs: number, value: ValueView, now: number, random: () => number): PlannedStep {
  // The first poll of secrets that were read together comes anywhere in a refresh; so they stay apart from then on.
  const share = value.isNew ? 0.2 + random() : 0.8 + 0.4 * random();
  const at = onBeat(Math.max(now, value.confirmedAt + refreshMs * share), refreshMs, now);
  const change = planChange(value, now, random);
  return change !== undefined && change.at < at
    ? change
    : { action: 'poll', at, why: 'static secret is polled every refresh' };
}

/** Polls that fall close together go together; each agent has a beat of its own, as its clock begins with it. */
function onBeat(at: number, refreshMs: number, now: number): number {
  const beatMs = Math.min(longestBeatMs, Math.floor(refreshMs / 40));
  const beat = beatMs > 1 ? Math.floor(at / beatMs) * beatMs : at;
  return beat > now ? beat : at;
}

function planChange(value: ValueView, now: number, random: () => number): PlannedStep | undefined {
  if (value.changesAt === undefined) return undefined;
  if (value.rotationWaits > 0) {
    const wait = changeWaitMs(value, random);
    return { action: 'poll', at: now + wait, why: 'rotation is due, but the value has not changed yet' };
  }
  const isRotating = value.kind === 'rotating';
  const why = isRotating ? 'upstream rotates it just before' : 'its ttl ends just before';
  const spreadMs = isRotating ? 100 * random() : 500 + 2000 * random();
  return { action: 'poll', at: Math.max(now, value.changesAt) + spreadMs, why };
}

/**
 * How often a password is read that is due to change and that its users cannot do without: servers look for what is due every
 * few seconds. After a minute of it, it is somebody's fault.
 */
const changeSteps = [
  { waits: 8, ms: 250 },
  { waits: 20, ms: 500 },
  { waits: 72, ms: 1000 },
] as const;
const promptWaits = 72;

function changeWaitMs({ kind, rotationWaits }: ValueView, random: () => number): number {
  const step = kind === 'rotating' && changeSteps.find(({ waits }) => rotationWaits <= waits);
  if (step) return step.ms * (0.7 + 0.6 * random());
  const failures = kind === 'rotating' ? rotationWaits - promptWaits : rotationWaits;
  return backoffDelayMs(failures, { minMs: 1000, maxMs: 30_000 }, random);
}

const neverEnding: PlannedStep = { action: 'replace', at: Number.POSITIVE_INFINITY, why: 'it does not end' };
const endless: PlannedStep = {
  action: 'replace',
  at: Number.POSITIVE_INFINITY,
  why: 'it was issued by a write and tells no end, so it is not made again; `refresh` of a secret with this path sets an interval',
};

function planRetry(view: SecretView, now: number, random: () => number, limits: ScheduleLimits): PlannedStep {
  const { value, failure } = view;
  if (failure === undefined) return planHealthy(view, now, random);
  const wish = { refreshMs: view.policy.refreshMs, isUrgent: isUrgent(view) };
  const delay = retryDelayMs(failure, wish, random, limits.retry);
  const step: PlannedStep = {
    action: 'retry',
    at: Math.max(now, failure.at + delay),
    why: retryReason(failure),
  };
  if (value?.endsAt === undefined || value.endsAt <= failure.at || view.isExpired) return step;
  if (failure.retryAfterMs !== undefined) return step;
  // The nearer the end, the sooner the next try; and a failing renewal leaves time for a replacement.
  const urgentAt = failure.at + Math.max(limits.retry.minMs, (value.endsAt - failure.at) / 4);
  const replaceAt = value.canRenew ? value.endsAt - leadMs(value.lifeMs, 0) : Number.POSITIVE_INFINITY;
  if (replaceAt > failure.at && replaceAt < Math.min(step.at, urgentAt)) {
    return {
      action: 'replace',
      at: Math.max(now, replaceAt),
      why: 'renewal failed and the lease ends soon after',
    };
  }
  return { ...step, at: Math.max(now, Math.min(step.at, urgentAt)) };
}

function holdToFloors(view: SecretView, step: PlannedStep, now: number, limits: ScheduleLimits): PlannedStep {
  const byInterval =
    view.askedAt === undefined ? step.at : Math.max(step.at, view.askedAt + limits.minIntervalMs);
  const mints =
    (view.value === undefined || isMinted(view.value.kind)) && chooseRequest(view, byInterval) === 'read';
  if (!mints || byInterval >= view.mintAllowedAt) return { ...step, at: Math.max(now, byInterval) };
  return {
    ...step,
    at: view.mintAllowedAt,
    why: `${step.why}; the mint floor lets no other credential be made before`,
  };
}

function expiryReason(view: SecretView): string {
  return view.value?.endsAt === undefined ? 'upstream failed for max_stale' : 'the credential ends';
}

function retryReason(failure: FailureView): string {
  if (failure.code === 'not_found') return 'upstream has no such secret; it is looked for again';
  if (failure.code === 'mount_not_found') return 'upstream has no such mount; it is looked for again';
  if (failure.code === 'denied') return 'upstream denies it; it is tried again';
  if (failure.retryAfterMs !== undefined) return 'upstream asked to be left alone until then';
  return `try ${failure.count} failed (${failure.code})`;
}
