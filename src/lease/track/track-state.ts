// One secret's state as a pure machine: what is known of it, what each event makes of that, and what is wished of the world
// for it (the store, the book, the log). Times are monotonic milliseconds; secret-track.ts runs it.
import { LatchkeyError } from '../../base/errors.ts';
import { isShortGrant } from '../../base/time/renewal-policy.ts';
import type { EntryState } from '../../store/entry.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import { addFailure, expiryAt, isOutageError, stateOnFailure } from './failure-policy.ts';
import { type FailureView, isMinted, type SecretView, type ValueView } from './secret-view.ts';

export interface TrackedValue {
  readonly answer: SecretAnswer;
  /** The book's record, which it alone writes. */
  readonly lease: OwnedLease | undefined;
  readonly lifeMs: number;
  readonly confirmedAt: number;
  /** The end that the answer itself tells (a certificate's). */
  readonly ownEnd: number | undefined;
  readonly changesAt: number | undefined;
  readonly rotationWaits: number;
  /** The clock jumped a moment ago: see `ValueView`. */
  readonly doubtUntil: number | undefined;
  readonly isNew: boolean;
}

export interface TrackState {
  /** Stays after it has expired. */
  readonly value: TrackedValue | undefined;
  readonly isExpired: boolean;
  readonly failure: FailureView | undefined;
  readonly lastError: unknown;
  /** The log was told of the failure, and so is of its end. */
  readonly isFailureTold: boolean;
  /** When a request was last sent. */
  readonly askedAt: number | undefined;
}

export type TrackEvent =
  | { readonly type: 'asked' }
  /** The book's lease has more time, or is not to be renewed any more. */
  | { readonly type: 'renewed' }
  /** Upstream says that the value of `sentAt` still holds. */
  | { readonly type: 'confirmed'; readonly sentAt: number }
  | {
      readonly type: 'answered';
      readonly answer: SecretAnswer;
      readonly lease: OwnedLease | undefined;
      readonly sentAt: number;
    }
  | { readonly type: 'restored'; readonly value: TrackedValue }
  /** `isAway`: upstream as a whole is, and says so itself. */
  | { readonly type: 'failed'; readonly error: unknown; readonly isAway: boolean }
  /** It may have come to its end. */
  | { readonly type: 'ended' }
  /** The host slept for `jumpMs`, or its clock was set on by so much (0: it was set back). */
  | { readonly type: 'jumped'; readonly jumpMs: number }
  /** Wanted again after nobody did, and what it had is gone. */
  | { readonly type: 'reset' };

/** What is to be done, in this order, once the state is the new one. */
export type TrackWish =
  | { readonly do: 'publish'; readonly answer: SecretAnswer }
  /** Its end moved, or it was confirmed. */
  | { readonly do: 'extend'; readonly keepsEnd: boolean }
  | { readonly do: 'fail'; readonly error: unknown; readonly state: EntryState }
  | { readonly do: 'supersede'; readonly lease: OwnedLease }
  /** `isTold`: that it failed was told of this one, not of its upstream alone. */
  | { readonly do: 'tell'; readonly news: 'recovered'; readonly isTold: boolean }
  | { readonly do: 'tell'; readonly news: 'failed'; readonly isNews: boolean; readonly state: EntryState }
  | { readonly do: 'tell'; readonly news: 'expired'; readonly error: unknown };

/** What an event is judged by, beside the state. */
export interface TrackFacts {
  readonly now: number;
  readonly policy: SecretView['policy'];
  readonly mintAllowedAt: number;
  readonly canonicalKey: string;
}

interface Transition {
  readonly state: TrackState;
  readonly wishes: readonly TrackWish[];
}

/** Long enough to ask upstream once. */
const doubtMs = 10_000;

export const initialState: TrackState = {
  value: undefined,
  isExpired: false,
  failure: undefined,
  lastError: undefined,
  isFailureTold: false,
  askedAt: undefined,
};

export function transition(state: TrackState, event: TrackEvent, facts: TrackFacts): Transition {
  switch (event.type) {
    case 'asked':
      return { state: { ...state, askedAt: facts.now }, wishes: [] };
    case 'renewed':
      return succeed(state, state.value, [{ do: 'extend', keepsEnd: false }]);
    case 'confirmed':
      return succeed(state, state.value && confirmed(state.value, event.sentAt, facts.now), [
        { do: 'extend', keepsEnd: true },
      ]);
    case 'answered':
      return answered(state, event, facts.now);
    case 'restored':
      return { state: { ...state, value: event.value }, wishes: [] };
    case 'failed':
      return failed(state, event, facts);
    case 'ended':
      return ended(state, facts);
    case 'jumped':
      return jumped(state, event.jumpMs, facts.now);
    case 'reset':
      return { state: { ...initialState, askedAt: state.askedAt }, wishes: [] };
  }
}

/** What the policies see. */
export function viewOf(state: TrackState, { policy, mintAllowedAt }: TrackFacts): SecretView {
  const { value, isExpired, failure, askedAt } = state;
  return { policy, value: value && valueView(value), isExpired, failure, askedAt, mintAllowedAt };
}

/** When upstream was asked and last said that it is the one. */
export function confirmedAtOf({ value }: TrackState): number | undefined {
  return value?.answer.kind === 'leased'
    ? (value.lease?.confirmedAt ?? value.confirmedAt)
    : value?.confirmedAt;
}

/** When people and programs see the value end; undefined: it does not. */
export function shownEndOf({ value }: TrackState): number | undefined {
  if (value === undefined) return undefined;
  const { endsAt, changesAt, kind } = valueView(value);
  return endsAt ?? (kind === 'rotating' ? changesAt : undefined);
}

/** How long what an answer brings will live; 0 where it does not tell. */
export function lifeOf(answer: SecretAnswer): number {
  return 1000 * (answer.ttlSeconds ?? answer.lease?.durationSeconds ?? 0);
}

function succeed(
  state: TrackState,
  value: TrackedValue | undefined,
  wishes: readonly TrackWish[],
): Transition {
  const { isFailureTold: isTold, isExpired } = state;
  const told: TrackWish[] = isTold || isExpired ? [{ do: 'tell', news: 'recovered', isTold }] : [];
  return { state: { ...initialState, askedAt: state.askedAt, value }, wishes: [...told, ...wishes] };
}

function answered(
  state: TrackState,
  { answer, lease, sentAt }: Extract<TrackEvent, { type: 'answered' }>,
  now: number,
): Transition {
  const before = state.value;
  const value = compared(firstValue(answer, lease, sentAt), before, now);
  const old = before?.lease;
  return succeed(state, value, [
    ...(old === undefined || old === lease ? [] : [{ do: 'supersede', lease: old } as const]),
    { do: 'publish', answer },
  ]);
}

function firstValue(answer: SecretAnswer, lease: OwnedLease | undefined, sentAt: number): TrackedValue {
  const { kind, ttlSeconds } = answer;
  const toldAt = ttlSeconds === undefined ? undefined : sentAt + ttlSeconds * 1000;
  return {
    answer,
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

/**
 * Whether a change that was due has come. A new `ttl` alone is none: a server may start the next period before it has
 * changed the password.
 */
function compared(value: TrackedValue, before: TrackedValue | undefined, now: number): TrackedValue {
  if (before === undefined) return value;
  const [a, b] = [before.answer, value.answer];
  const isSame = a.dataDigest === b.dataDigest && a.lease?.id === b.lease?.id;
  const hasRotated = b.rotationMark !== undefined && b.rotationMark !== a.rotationMark;
  const wasDue = before.changesAt !== undefined && before.changesAt <= value.confirmedAt;
  const isDue = value.changesAt !== undefined && value.changesAt <= now + 1000;
  const isWaiting = before.rotationWaits > 0 && b.kind === 'rotating';
  const waits = isSame && !hasRotated && (wasDue || isDue || isWaiting);
  return { ...value, isNew: false, rotationWaits: waits ? before.rotationWaits + 1 : 0 };
}

function confirmed(value: TrackedValue, sentAt: number, now: number): TrackedValue {
  const isDue = value.changesAt !== undefined && value.changesAt <= now;
  const rotationWaits = value.rotationWaits + (isDue ? 1 : 0);
  return { ...value, confirmedAt: sentAt, doubtUntil: undefined, isNew: false, rotationWaits };
}

function failed(
  state: TrackState,
  { error, isAway }: Extract<TrackEvent, { type: 'failed' }>,
  facts: TrackFacts,
): Transition {
  const failure = addFailure(state.failure, error, facts.now, isAway);
  const left = stateOnFailure(viewOf({ ...state, failure }, facts), facts.now);
  // An upstream that is away or limits requests says so itself, once for all its secrets.
  const isAgain = state.failure?.code === failure.code;
  const isOwn = !isOutageError(error) || (isAgain && !isAway && failure.code !== 'login_failed');
  const isNews = isOwn && failure.code !== 'upstream_rate_limited' && !(isAgain && state.isFailureTold);
  const told: TrackWish[] = isAgain && !isNews ? [] : [{ do: 'tell', news: 'failed', isNews, state: left }];
  const isFailureTold = state.isFailureTold || isNews;
  return {
    state: { ...state, failure, lastError: error, isExpired: left === 'expired', isFailureTold },
    wishes: [...told, { do: 'fail', error, state: left }],
  };
}

function ended(state: TrackState, facts: TrackFacts): Transition {
  const at = expiryAt(viewOf(state, facts));
  if (state.isExpired || at === undefined || at > facts.now) return { state, wishes: [] };
  const error = state.lastError ?? endedError(facts);
  return {
    state: { ...state, isExpired: true },
    wishes: [
      { do: 'tell', news: 'expired', error },
      { do: 'fail', error, state: 'expired' },
    ],
  };
}

function endedError({ canonicalKey, mintAllowedAt, now }: TrackFacts): LatchkeyError {
  const seconds = Math.ceil((mintAllowedAt - now) / 1000);
  const limit = seconds > 0 ? `; the mint floor lets the next one be made in ${seconds} s` : '';
  return new LatchkeyError(
    'lease_lost',
    `${canonicalKey}: the credential ended before there was another${limit}`,
  );
}

function jumped(state: TrackState, jumpMs: number, now: number): Transition {
  const value = state.value && {
    ...state.value,
    confirmedAt: state.value.confirmedAt - jumpMs,
    ownEnd: state.value.ownEnd && state.value.ownEnd - jumpMs,
    changesAt: state.value.changesAt && state.value.changesAt - jumpMs,
    doubtUntil: jumpMs > 0 ? now + doubtMs : state.value.doubtUntil,
  };
  const next = { ...state, value };
  const isShown = shownEndOf(next) !== undefined && state.failure === undefined && !state.isExpired;
  return { state: next, wishes: isShown ? [{ do: 'extend', keepsEnd: false }] : [] };
}

function valueView(value: TrackedValue): ValueView {
  const { lease } = value;
  const { kind } = value.answer;
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
    isShort: isLeased && isShortGrant({ askedMs: 1000 * lease.askedSeconds, grantedMs: lease.grantedMs }),
    doubtUntil: lease === undefined || lease.isDoubtful ? value.doubtUntil : undefined,
    isNew: value.isNew,
  };
}
