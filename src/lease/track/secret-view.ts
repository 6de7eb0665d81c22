// What the policies see of one secret: plain facts on the monotonic clock, made by secret-track.ts.
import type { ErrorCode } from '../../base/errors.ts';
import type { EntryPolicy } from '../../store/entry.ts';
import type { SecretKind } from '../../store/secret-version.ts';

/** What is known of the last answer. Times are monotonic milliseconds. */
export interface ValueView {
  readonly kind: SecretKind;
  /** When upstream last said that the value holds. */
  readonly confirmedAt: number;
  /** The end of a lease or a certificate. */
  readonly endsAt: number | undefined;
  /** What makes it end, where that is not the credential itself. */
  readonly endsWith?: 'token' | undefined;
  /** How long a fresh one of it lives; 0 where it does not end. */
  readonly lifeMs: number;
  /** When upstream said that the data may differ: a rotation by plan, a `ttl` without a lease. */
  readonly changesAt: number | undefined;
  /** Reads since `changesAt` that found the old data. */
  readonly rotationWaits: number;
  /** The lease is renewable, and the last renewal still moved its end. */
  readonly canRenew: boolean;
  /** The last renewal gave less than was asked: the next may show that it was the last. */
  readonly isShort: boolean;
  /** The clock jumped, so `endsAt` is a guess: until then the value is handed out all the same, for a renewal to tell. */
  readonly doubtUntil: number | undefined;
  /** The first poll is still to come. */
  readonly isNew: boolean;
}

/** All that the schedule of one secret depends on, beside the time and luck. */
export interface SecretView {
  readonly policy: Omit<EntryPolicy, 'overlapMs' | 'onExit'>;
  /** Stays after the value has expired. */
  readonly value: ValueView | undefined;
  readonly isExpired: boolean;
  readonly failure: FailureView | undefined;
  /** When a request was last sent; the floor counts from there. */
  readonly askedAt: number | undefined;
  /** No credential may be minted before. */
  readonly mintAllowedAt: number;
}

/** Failures in a row, of one kind or several. */
export interface FailureView {
  readonly code: ErrorCode;
  readonly count: number;
  /** Monotonic milliseconds of the first and of the last one. */
  readonly since: number;
  readonly at: number;
  /** Upstream's last word on the secret itself: no outage takes it back. */
  readonly refusal?: 'removed' | 'denied' | undefined;
  /** Upstream as a whole was away, or had no login: whatever its code, it is over when upstream answers. */
  readonly wasAway: boolean;
  /** How long upstream asked to be left alone. */
  readonly retryAfterMs: number | undefined;
}

/** Whether each read of it makes a new credential. */
export function isMinted(kind: SecretKind): boolean {
  return kind === 'leased' || kind === 'expiring';
}

/** There is nothing to hand out, or what there is ends: a poll can wait, this cannot. */
export function isUrgent({
  value,
  isExpired,
}: Pick<SecretView, 'isExpired'> & { value: Pick<ValueView, 'kind'> | undefined }): boolean {
  return value === undefined || isExpired || isMinted(value.kind);
}
