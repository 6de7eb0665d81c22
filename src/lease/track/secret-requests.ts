// What is sent to upstream for one secret: the request that a wish comes to, what follows from its answer, and the floor below
// which nothing is made. What becomes of an answer is the track's.

import { errorCode, LatchkeyError } from '../../base/errors.ts';
import type { Reference } from '../../store/reference.ts';
import type { ReadableSource, Urgency } from '../../store/secret-reading.ts';
import type { SecretAnswer, SecretVersion } from '../../store/secret-version.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { AskMode } from './asking.ts';
import { mayHaveTakenEffect } from './failure-policy.ts';
import { requestFor, slackOf } from './schedule-policy.ts';
import { isMinted, type SecretView } from './secret-view.ts';
import type { TrackParts } from './track-parts.ts';
import type { TrackEvent, TrackState } from './track-state.ts';

/** An answer, when it was asked for, and whose it is. */
export interface Reading {
  readonly answer: SecretAnswer;
  readonly sentAt: number;
  readonly from: ReadableSource;
}

export interface SecretRequests {
  /** One after the other. Resolves with whether the data changed; rejects as upstream does. */
  send(mode: AskMode, urgency: Urgency): Promise<boolean>;
}

interface RequestParts
  extends Pick<TrackParts, 'clock' | 'logger' | 'sources' | 'book' | 'floor' | 'signal' | 'repeatable'> {
  reference: Reference;
  canonicalKey(): string;
  view(): SecretView;
  state(): TrackState;
  apply(event: TrackEvent): boolean;
  /** What the store has of it, where it is an answer of this source. */
  currentBy(source: ReadableSource): SecretVersion | undefined;
  /** Takes the answer over, here or in the track that owns the secret by now. */
  take(reading: Reading): boolean;
  logFields(): { secret: string };
}

export function createSecretRequests(parts: RequestParts): SecretRequests {
  const { clock, logger, sources, book, floor, reference, repeatable, apply } = parts;

  async function renew(lease: OwnedLease, urgency: Urgency): Promise<boolean> {
    apply({ type: 'asked' });
    try {
      await book.renew(lease, { signal: repeatable, ...urgency });
    } catch (error) {
      const code = errorCode(error);
      if (code === 'lease_lost') {
        logger.warn(parts.logFields(), 'the lease is gone upstream; another one is asked for');
        return read(urgency);
      }
      if (code !== 'denied') throw error;
      // It is good to its end.
      book.stopRenewing(lease);
      logger.warn(
        parts.logFields(),
        'upstream denies the renewal of this lease; it is replaced before it ends',
      );
    }
    return apply({ type: 'renewed' });
  }

  /** Asks for no more than whether the value still holds, where upstream can tell; reads otherwise. */
  async function poll(urgency: Urgency): Promise<boolean> {
    const source = sources.find(reference.upstream);
    const version = source?.isCurrent && parts.currentBy(source);
    if (version === undefined || source?.canTell?.(reference, version) === false) return read(urgency);
    const sentAt = clock.now();
    apply({ type: 'asked' });
    const isCurrent = await sources.call(reference.upstream, async (asked) =>
      asked.isCurrent?.(reference, version, { signal: repeatable, ...urgency }),
    );
    return isCurrent === true ? apply({ type: 'confirmed', sentAt }) : read(urgency);
  }

  /** What was given the last time need not be given again; where there is nothing of it a read makes a credential, or may. */
  async function read(urgency: Urgency): Promise<boolean> {
    const last = parts.state().value?.answer;
    const known = last === undefined || isMinted(last.kind) ? undefined : last;
    apply({ type: 'asked' });
    return parts.take(await readNow(known, urgency));
  }

  /** Rejects with `upstream_rate_limited` below the floor. */
  async function readNow(known: SecretAnswer | undefined, urgency: Urgency): Promise<Reading> {
    const mints = known === undefined;
    const canonicalKey = parts.canonicalKey();
    const sentAt = clock.now();
    const allowedAt = floor.allowedAt(canonicalKey);
    if (mints && sentAt < allowedAt) throw belowFloor(canonicalKey, allowedAt - sentAt);
    // A read that makes a credential is not given up half-way: its lease would be nobody's.
    const request = { signal: mints ? parts.signal : repeatable, ...urgency };
    try {
      return await sources.call(reference.upstream, async (from) => ({
        answer: await from.read(reference, request, known),
        sentAt,
        from,
      }));
    } catch (error) {
      if (mayHaveTakenEffect(error)) floor.noteDoubt(canonicalKey, clock.now());
      throw error;
    }
  }

  return {
    async send(mode, urgency) {
      if (mode === 'rotate') floor.forgive(parts.canonicalKey());
      const seen = parts.view();
      const request = requestFor(mode, seen, clock.now());
      const lease = parts.state().value?.lease;
      const slackMs = slackOf(mode, seen.policy.refreshMs);
      if (request === 'none') return false;
      if (request === 'poll') return poll({ ...urgency, slackMs });
      const wish = { ...urgency, slackMs, isVital: seen.value !== undefined && isMinted(seen.value.kind) };
      return request === 'renew' && lease !== undefined ? renew(lease, wish) : read(wish);
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
