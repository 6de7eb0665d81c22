// What a track keeps of the last answer, and the facts that the policies see of it.
import type { SecretAnswer, SecretKind } from '../store/secret-version.ts';
import type { IssuedValue } from './hand-over.ts';
import type { OwnedLease } from './owned-lease.ts';
import { isMinted, type ValueView } from './secret-view.ts';

/** Long enough to ask upstream once. */
const doubtMs = 10_000;

/** Times are monotonic milliseconds. */
export interface TrackedValue {
  readonly answer: SecretAnswer;
  readonly kind: SecretKind;
  readonly lease: OwnedLease | undefined;
  readonly lifeMs: number;
  confirmedAt: number;
  /** The end that the answer itself tells (a certificate's). */
  ownEnd: number | undefined;
  changesAt: number | undefined;
  rotationWaits: number;
  /** The clock jumped a moment ago: see `ValueView`. */
  doubtUntil: number | undefined;
  isNew: boolean;
}

export function createTrackedValue(
  answer: SecretAnswer,
  lease: OwnedLease | undefined,
  sentAt: number,
): TrackedValue {
  const { kind, ttlSeconds } = answer;
  const toldAt = ttlSeconds === undefined ? undefined : sentAt + ttlSeconds * 1000;
  return {
    answer,
    kind,
    lease,
    lifeMs: lifeOf(answer),
    confirmedAt: sentAt,
    ownEnd: isMinted(kind) ? toldAt : undefined,
    changesAt: isMinted(kind) ? undefined : toldAt,
    rotationWaits: 0,
    doubtUntil: undefined,
    isNew: true,
  };
}

/** What the last run was issued, when the clock was not this one. */
export function restoreValue(
  issued: IssuedValue,
  lease: OwnedLease | undefined,
  { now, wall }: { now: number; wall: number },
): TrackedValue {
  const { answer, obtainedAt, ownEnd, lifeMs } = issued;
  const { kind } = answer;
  const at = (wallMs: number): number => now + (wallMs - wall);
  return {
    ...{ answer, kind, lease, lifeMs },
    confirmedAt: at(obtainedAt),
    ownEnd: ownEnd === undefined ? undefined : at(ownEnd),
    changesAt: undefined,
    rotationWaits: 0,
    doubtUntil: undefined,
    isNew: false,
  };
}

/** How long what an answer brings will live; 0 where it does not tell. */
export function lifeOf(answer: SecretAnswer): number {
  return 1000 * (answer.ttlSeconds ?? answer.lease?.durationSeconds ?? 0);
}

/** Upstream has said that the value still holds. */
export function confirmValue(value: TrackedValue, confirmedAt: number, now: number): void {
  const isDue = value.changesAt !== undefined && value.changesAt <= now;
  Object.assign(value, { confirmedAt, doubtUntil: undefined, isNew: false });
  if (isDue) value.rotationWaits += 1;
}

/**
 * Compares an answer with the one before it: whether a change that was due has come. A new `ttl` alone is none: a server
 * may start the next period before it has changed the password.
 */
export function noteOutcome(
  value: TrackedValue,
  before: TrackedValue | undefined,
  isChanged: boolean,
  now: number,
): void {
  value.isNew = before === undefined;
  if (before === undefined || isChanged || hasRotated(value, before)) return;
  const wasDue = before.changesAt !== undefined && before.changesAt <= value.confirmedAt;
  const isDue = value.changesAt !== undefined && value.changesAt <= now + 1000;
  const isWaiting = before.rotationWaits > 0 && value.kind === 'rotating';
  if (wasDue || isDue || isWaiting) value.rotationWaits = before.rotationWaits + 1;
}

/** Upstream says that it has, if to the same value. */
function hasRotated({ answer }: TrackedValue, before: TrackedValue): boolean {
  return answer.rotationMark !== undefined && answer.rotationMark !== before.answer.rotationMark;
}

/** The host slept for `jumpMs`, or its clock was set on by so much (0: it was set back). */
export function shiftValue(value: TrackedValue, jumpMs: number, now: number): void {
  value.confirmedAt -= jumpMs;
  if (value.ownEnd !== undefined) value.ownEnd -= jumpMs;
  if (value.changesAt !== undefined) value.changesAt -= jumpMs;
  if (jumpMs > 0) value.doubtUntil = now + doubtMs;
}

export function valueView(value: TrackedValue): ValueView {
  const { lease, kind } = value;
  const isLeased = lease !== undefined && kind === 'leased';
  const ends = [lease?.endsAt, value.ownEnd].filter((end) => end !== undefined);
  return {
    kind,
    confirmedAt: isLeased ? lease.confirmedAt : value.confirmedAt,
    endsAt: ends.length > 0 ? Math.min(...ends) : undefined,
    endsWith: lease?.endsWithToken === true ? 'token' : undefined,
    // A last renewal grants a rest: its users still need the time that a credential of this kind gives them to move. While
    // it is renewed on, what the server grants now counts, for it may have shortened the TTL.
    lifeMs: isLeased && lease.canRenew ? lease.grantedMs : Math.max(lease?.grantedMs ?? 0, value.lifeMs),
    changesAt: value.changesAt,
    rotationWaits: value.rotationWaits,
    canRenew: isLeased && lease.canRenew,
    doubtUntil: lease === undefined || lease.isDoubtful ? value.doubtUntil : undefined,
    isNew: value.isNew,
  };
}
