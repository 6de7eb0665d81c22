// A rotation that somebody asks for: another credential at once, as with any rotation handed to its users before the old
// one goes. The old one lives for its overlap, or, after a leak, no longer than its users need to move.

import { LatchkeyError } from '../../base/errors.ts';
import type { Entry } from '../../store/entry.ts';
import type { SecretVersion } from '../../store/secret-version.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import { type EndParts, endOld, type OldFate } from './end-old.ts';
import type { SecretTrack } from './secret-track.ts';
import { isMinted } from './secret-view.ts';

export interface RotateResult {
  readonly key: string;
  /**
   * `rotated`: another credential or certificate is here. `not_issued`: upstream only stores this secret, so it was read
   * again and nothing was made; `isChanged` tells whether that found another value.
   */
  readonly outcome: 'rotated' | 'not_issued' | 'failed';
  readonly isChanged: boolean;
  readonly error?: unknown;
  /** What becomes of the one before; `none`: there was none. */
  readonly old: OldFate['old'] | 'none';
  /** Why it lives though it was to go, or how another value comes of what upstream only stores: the end of a sentence. */
  readonly note?: string;
}

export interface RotateOptions {
  /** It leaked: revoked when its users have moved, or after 10 s if they have not. */
  readonly revokeNow?: boolean;
  /** Ends the waiting, not the work. */
  readonly signal?: AbortSignal;
}

/** `keys` are entries of `track`. */
export async function rotateTrack(
  track: SecretTrack,
  keys: readonly string[],
  revokeNow: boolean,
  parts: EndParts,
): Promise<RotateResult[]> {
  const [entry] = keys.flatMap((key) => parts.store.find(key) ?? []);
  const lease = leaseOf(entry, parts.book);
  const versions = currentOf(keys, parts);
  const { outcome, error } = await track.ask('rotate', 'interactive', 'asked');
  const isChanged = outcome === 'changed';
  if (error !== undefined) {
    const old = versions.size === 0 ? 'none' : 'lives';
    return keys.map((key) => ({ key, outcome: 'failed', isChanged, error, old }));
  }
  const { value } = track.view();
  if (value === undefined || !isMinted(value.kind)) {
    const note = entry && !isChanged ? howToReplace(entry, parts) : {};
    return keys.map((key) => ({ key, outcome: 'not_issued', isChanged, old: 'none', ...note }));
  }
  const { reference } = track;
  const fate =
    versions.size === 0
      ? ({ old: 'none' } as const)
      : await endOld({ reference, versions, lease }, revokeNow, parts);
  return keys.map((key) => ({ key, outcome: 'rotated', isChanged, ...fate }));
}

function currentOf(keys: readonly string[], { store }: EndParts): Map<string, SecretVersion> {
  return new Map(
    keys.flatMap((key) => {
      const current = store.find(key)?.current;
      return current === undefined ? [] : [[key, current] as const];
    }),
  );
}

function howToReplace({ reference, current }: Entry, { sources }: EndParts): { note?: string } {
  const source = sources.find(reference.upstream);
  const note = current && source?.howToReplace?.(reference, current);
  return note === undefined ? {} : { note };
}

function leaseOf(entry: Entry | undefined, book: LeaseBook): OwnedLease | undefined {
  const id = entry?.current?.lease?.id;
  return id === undefined || entry === undefined ? undefined : book.find(entry.reference.upstream, id);
}

export function noSuchEntry(key: string): LatchkeyError {
  return new LatchkeyError('not_found', `no secret ${JSON.stringify(key)} is in use here`);
}
