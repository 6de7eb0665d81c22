// What a failed request means for a secret: how soon it is tried again, what is left of the value, and whether upstream
// as a whole is away. Pure, on monotonic milliseconds.

import { type ErrorCode, errorCode } from '../../base/errors.ts';
import { type BackoffLimits, backoffDelayMs } from '../../base/time/backoff.ts';
import { UpstreamError } from '../../base/upstream-error.ts';
import type { EntryState } from '../../store/entry.ts';
import type { FailureView, SecretView, ValueView } from './secret-view.ts';

/** A static secret is handed out this long without upstream, unless `max_stale` says otherwise. */
export const defaultMaxStaleMs = 24 * 3_600_000;

/** One more failure on top of those before. */
export function addFailure(
  before: FailureView | undefined,
  error: unknown,
  now: number,
  wasAway = false,
): FailureView {
  return {
    code: errorCode(error),
    count: (before?.count ?? 0) + 1,
    since: before?.since ?? now,
    at: now,
    wasAway,
    refusal: refusalOf(errorCode(error)) ?? (isOutageError(error) ? before?.refusal : undefined),
    retryAfterMs: error instanceof UpstreamError ? error.retryAfterMs : undefined,
  };
}

/** Codes that say that upstream as a whole cannot serve, whatever it is asked for. */
export function isOutage(code: ErrorCode): boolean {
  return (
    code === 'upstream_unavailable' ||
    code === 'upstream_sealed' ||
    code === 'login_failed' ||
    code === 'token_invalid' ||
    code === 'timeout'
  );
}

/** Whether an error tells of upstream as a whole: an answered 500 may be about one path only (a broken database). */
export function isOutageError(error: unknown): boolean {
  const status = error instanceof UpstreamError ? error.status : undefined;
  return isOutage(errorCode(error)) && status !== 500;
}

/**
 * Whether a failed request may have made a credential, or prolonged a lease, all the same: its answer could not be understood, was lost, or a
 * gateway gave up waiting for it. Not when the vault refused, nor when nothing was sent.
 */
export function mayHaveTakenEffect(error: unknown): boolean {
  const code = errorCode(error);
  if (code === 'upstream_answer_invalid' || code === 'timeout') return true;
  if (code !== 'upstream_unavailable' || isUnsent(error)) return false;
  const status = error instanceof UpstreamError ? error.status : undefined;
  return status === undefined || status === 502 || status === 504;
}

/** Upstreams that know tell by `wasSent`. */
function isUnsent(error: unknown): boolean {
  return error instanceof Error && 'wasSent' in error && error.wasSent === false;
}

function isMissing({ code }: FailureView): boolean {
  return refusalOf(code) === 'removed';
}

/** The wait after a failure, from the moment of that failure. */
export function retryDelayMs(
  failure: FailureView,
  { refreshMs, isUrgent }: { refreshMs: number; isUrgent: boolean },
  random: () => number,
  limits: BackoffLimits,
): number {
  const backoff = backoffDelayMs(failure.count, limits, random);
  if (failure.retryAfterMs !== undefined) {
    // The gate tries for all, so that what cannot wait need not spread out.
    if (isUrgent) return failure.retryAfterMs + random() * Math.min(1000, failure.retryAfterMs / 2);
    return failure.retryAfterMs * (1 + random() / 2) + Math.min(backoff, failure.retryAfterMs + 1000) / 2;
  }
  // A path that is not there may be made at any time: found within `refresh`, as a change of it would be.
  return isMissing(failure) ? Math.min(backoff, refreshMs * (0.8 + 0.4 * random())) : backoff;
}

/** When the value must not be handed out any more, and what decides it. */
interface Deadline {
  /** Monotonic milliseconds; undefined: never. */
  readonly at: number | undefined;
  /** A key of the secret, or the credential's own end. */
  readonly by: 'max_stale' | 'on_stale' | 'on_removed' | 'on_denied' | 'end';
}

/** When the value must not be handed out any more; undefined: never. */
export function expiryAt(view: SecretView): number | undefined {
  return deadlineOf(view)?.at;
}

/** What becomes of the last value of a secret that upstream does not confirm; undefined: there is none, or it is confirmed. */
export function lastValueDeadline(view: SecretView): Deadline | undefined {
  return view.failure === undefined ? undefined : deadlineOf(view);
}

/** That upstream says no is no outage: `on_stale: keep` hands nothing out for ever that it has removed or denies. */
function deadlineOf({ value, failure, policy }: SecretView): Deadline | undefined {
  if (value === undefined) return undefined;
  const sinceConfirmed = value.confirmedAt + (policy.maxStaleMs ?? defaultMaxStaleMs);
  if (failure?.refusal !== undefined && !endsByItself(value)) {
    const by = failure.refusal === 'removed' ? 'on_removed' : 'on_denied';
    const isFatal = (by === 'on_removed' ? policy.onRemoved : policy.onDenied) === 'fail';
    return isFatal ? { at: failure.at, by } : { at: sinceConfirmed, by: 'max_stale' };
  }
  if (policy.onStale === 'keep') return { at: undefined, by: 'on_stale' };
  if (endsByItself(value)) {
    const end = failure === undefined ? Math.max(value.endsAt, value.doubtUntil ?? 0) : value.endsAt;
    const byStaleness =
      failure === undefined || policy.maxStaleMs === undefined
        ? Number.POSITIVE_INFINITY
        : failure.since + policy.maxStaleMs;
    return byStaleness < end ? { at: byStaleness, by: 'max_stale' } : { at: end, by: 'end' };
  }
  return failure === undefined ? undefined : { at: sinceConfirmed, by: 'max_stale' };
}

/** A credential is good to its own end, whatever becomes of the path that gave it. */
function endsByItself(value: ValueView): value is ValueView & { endsAt: number } {
  return value.endsAt !== undefined;
}

function refusalOf(code: ErrorCode): FailureView['refusal'] {
  if (code === 'denied') return 'denied';
  return code === 'not_found' || code === 'mount_not_found' ? 'removed' : undefined;
}

/** What is left of the value while upstream fails. */
export function stateOnFailure(view: SecretView, now: number): EntryState {
  if (view.value === undefined) return 'pending';
  const expiry = expiryAt(view);
  if (view.isExpired || (expiry !== undefined && expiry <= now)) return 'expired';
  return view.failure?.refusal ?? 'stale';
}
