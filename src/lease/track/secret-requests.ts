// What is sent to upstream for one secret, and the floor below which nothing is made. Knows nothing of its state.

import { errorCode, LatchkeyError } from '../../base/errors.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Reference } from '../../store/reference.ts';
import type { ReadableSource, Urgency } from '../../store/secret-reading.ts';
import type { SecretAnswer, SecretVersion } from '../../store/secret-version.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { SourceTable } from '../source-table.ts';
import { mayHaveTakenEffect } from './failure-policy.ts';
import type { MintFloor } from './mint-floor.ts';

/** An answer, when it was asked for, and whose it is. */
export interface Reading {
  readonly answer: SecretAnswer;
  readonly sentAt: number;
  readonly from: ReadableSource;
}

/** All reject as upstream does. */
export interface SecretRequests {
  /** `denied`: it may not be renewed, and is good to its end. */
  renew(lease: OwnedLease, urgency: Urgency): Promise<'renewed' | 'lost' | 'denied'>;
  /** Undefined: upstream cannot tell without a read. */
  isCurrent(version: SecretVersion, urgency: Urgency): Promise<boolean | undefined>;
  /**
   * `known`: what was given the last time; absent: a read makes a credential, or may. Rejects with
   * `upstream_rate_limited` below the floor.
   */
  read(canonicalKey: string, known: SecretAnswer | undefined, urgency: Urgency): Promise<Reading>;
}

interface RequestParts {
  clock: Clock;
  sources: SourceTable;
  book: LeaseBook;
  floor: MintFloor;
  reference: Reference;
  /** Ends with the engine. */
  signal: AbortSignal;
  /** Ends when it closes: for what loses nothing by it. */
  repeatable: AbortSignal;
}

export function createSecretRequests(parts: RequestParts): SecretRequests {
  const { clock, sources, book, floor, reference, repeatable } = parts;
  return {
    async renew(lease, urgency) {
      try {
        await book.renew(lease, { signal: repeatable, ...urgency });
        return 'renewed';
      } catch (error) {
        const code = errorCode(error);
        if (code === 'lease_lost') return 'lost';
        if (code !== 'denied') throw error;
        book.stopRenewing(lease);
        return 'denied';
      }
    },
    async isCurrent(version, urgency) {
      return sources.call(reference.upstream, async (source) =>
        source.isCurrent?.(reference, version, { signal: repeatable, ...urgency }),
      );
    },
    async read(canonicalKey, known, urgency) {
      const mints = known === undefined;
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
