// The requests of one track and what their outcomes change: the value, its lease, the failures, the store's entries.
import { describeError, errorCode, LatchkeyError } from '../base/errors.ts';
import type { EntryState } from '../store/entry.ts';
import type { ReadableSource, Urgency } from '../store/secret-reading.ts';
import type { SecretAnswer } from '../store/secret-version.ts';
import { addFailure, isOutageError, mayHaveMinted, stateOnFailure } from './failure-policy.ts';
import type { OwnedLease } from './owned-lease.ts';
import { type FailureView, isMinted } from './secret-view.ts';
import { logFields, policyOf, publishTo, shownEnd, type TrackContext, viewOf } from './track-context.ts';
import { confirmValue, createTrackedValue, noteOutcome } from './tracked-value.ts';

/** An answer, when it was asked for, and whose it is. */
export interface Reading {
  readonly answer: SecretAnswer;
  readonly sentAt: number;
  readonly from: ReadableSource;
}

export interface TrackRequests {
  /** All three resolve with whether the data changed, and reject as upstream does. */
  renew(lease: OwnedLease, urgency: Urgency): Promise<boolean>;
  /** Asks for no more than whether the value still holds, where upstream can tell; reads otherwise. */
  poll(urgency: Urgency): Promise<boolean>;
  read(urgency: Urgency): Promise<boolean>;
  /** Takes an answer over as the value of every member. */
  accept(reading: Reading): boolean;
  /** Another track has minted what this one has already: its lease goes at once. */
  discard(reading: Reading): void;
  fail(error: unknown): void;
}

/** `route` gets each answer: it knows whether this track still owns the secret. */
export function createTrackRequests(
  context: TrackContext,
  route: (reading: Reading) => boolean,
): TrackRequests {
  const { store, clock, sources, book, floor, reference, logger, members } = context;

  async function renew(lease: OwnedLease, urgency: Urgency): Promise<boolean> {
    context.askedAt = clock.now();
    try {
      await book.renew(lease, { signal: context.repeatable.signal, ...urgency });
    } catch (error) {
      if (errorCode(error) === 'lease_lost') {
        logger.warn(logFields(context), 'the lease is gone upstream; another one is asked for');
        return read(urgency);
      }
      if (errorCode(error) !== 'denied') throw error;
      logger.warn(
        logFields(context),
        'upstream denies the renewal of this lease; it is replaced before it ends',
      );
      book.stopRenewing(lease);
    }
    succeed();
    for (const key of members) store.extend(key, shownEnd(context));
    return false;
  }

  async function poll(urgency: Urgency): Promise<boolean> {
    const { value } = context;
    const [key] = members;
    const version = key === undefined ? undefined : store.find(key)?.current;
    const canTell = sources.find(reference.upstream)?.isCurrent !== undefined;
    if (!canTell || version === undefined || value === undefined) return read(urgency);
    const sentAt = clock.now();
    context.askedAt = sentAt;
    const options = { signal: context.repeatable.signal, ...urgency };
    const isCurrent = await sources.call(reference.upstream, async (source) =>
      source.isCurrent?.(reference, version, options),
    );
    if (isCurrent !== true) return read(urgency);
    confirmValue(value, sentAt, clock.now());
    succeed();
    for (const member of members) store.extend(member, store.find(member)?.expiresAt);
    return false;
  }

  async function read(urgency: Urgency): Promise<boolean> {
    const { value } = context;
    const mints = value === undefined || isMinted(value.kind);
    const sentAt = clock.now();
    const allowedAt = floor.allowedAt(context.canonicalKey);
    if (mints && sentAt < allowedAt) throw belowFloor(context.canonicalKey, allowedAt - sentAt);
    context.askedAt = sentAt;
    // A read that makes a credential is not given up half-way: its lease would be nobody's.
    const signal = mints ? context.signal : context.repeatable.signal;
    let reading: Reading;
    try {
      reading = await sources.call(reference.upstream, async (from) => ({
        answer: await from.read(reference, { signal, ...urgency }),
        sentAt,
        from,
      }));
    } catch (error) {
      if (mayHaveMinted(error)) floor.noteDoubt(context.canonicalKey, clock.now());
      throw error;
    }
    return route(reading);
  }

  function accept(reading: Reading): boolean {
    const { answer, sentAt } = reading;
    const before = context.value;
    const lease = own(reading, members);
    if (members.size === 0) {
      if (lease !== undefined) book.retire(lease, 0);
      return false;
    }
    const value = createTrackedValue(answer, lease, sentAt);
    context.value = value;
    succeed();
    if (before?.lease !== undefined && before.lease !== lease) book.supersede(before.lease);
    let isChanged = false;
    for (const key of [...members]) isChanged = publishTo(context, key, answer) || isChanged;
    noteOutcome(value, before, isChanged, clock.now());
    return isChanged;
  }

  function own({ answer, sentAt, from }: Reading, users: Iterable<string>): OwnedLease | undefined {
    const { lease } = answer;
    if (lease === undefined || lease.durationSeconds <= 0) return undefined;
    const [key] = members;
    return book.add({
      upstream: reference.upstream,
      issuer: from,
      id: lease.id,
      key: key ?? context.canonicalKey,
      durationSeconds: lease.durationSeconds,
      isRenewable: lease.isRenewable,
      users,
      policy: policyOf(context) ?? { overlapMs: 0, onExit: 'revoke' },
      grantedAt: sentAt,
    });
  }

  function succeed(): void {
    if (context.isFailureTold) logger.info(logFields(context), 'upstream answers for this secret again');
    Object.assign(context, {
      isExpired: false,
      failure: undefined,
      lastError: undefined,
      isFailureTold: false,
    });
  }

  /** An upstream that is away or limits requests says so itself, once for all its secrets. */
  function tellFailure(before: FailureView | undefined, error: unknown, state: EntryState): void {
    const code = errorCode(error);
    const isAgain = before?.code === code;
    const isOwn = !isOutageError(error) || (isAgain && !sources.isAway(reference.upstream));
    const isNews = isOwn && code !== 'upstream_rate_limited' && !(isAgain && context.isFailureTold);
    if (isAgain && !isNews) return;
    context.isFailureTold ||= isNews;
    logger[isNews ? 'warn' : 'debug']({ ...logFields(context), code, state }, describeError(error));
  }

  return {
    renew,
    poll,
    read,
    accept,
    discard(reading) {
      const lease = own(reading, []);
      if (lease !== undefined && lease !== context.value?.lease) book.retire(lease, 0);
    },
    fail(error) {
      if (context.isStopped) return;
      const before = context.failure;
      context.failure = addFailure(before, error, clock.now());
      context.lastError = error;
      const state = stateOnFailure(viewOf(context), clock.now());
      context.isExpired = state === 'expired';
      tellFailure(before, error, state);
      for (const key of [...members]) store.fail(key, error, state);
    },
  };
}

function belowFloor(canonicalKey: string, waitMs: number): LatchkeyError {
  const seconds = Math.ceil(waitMs / 1000);
  return new LatchkeyError(
    'upstream_rate_limited',
    `${canonicalKey}: a credential was made here a moment ago, the next one may be made in ${seconds} s`,
  );
}
