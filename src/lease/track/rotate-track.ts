// A rotation that somebody asks for: another credential at once, as with any rotation handed to its users before the old
// one goes. The old one lives for its overlap, or, after a leak, no longer than its users need to move.

import { LatchkeyError } from '../../base/errors.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Entry } from '../../store/entry.ts';
import type { Store } from '../../store/store.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
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
  /**
   * What becomes of the one before. `retires`: revoked `overlap` after its last user has moved. `revoked`: it is gone.
   * `lives`: to its own end, because it has no lease or upstream did not revoke it. `none`: there was none.
   */
  readonly old: 'none' | 'retires' | 'revoked' | 'lives';
}

export interface RotateOptions {
  /** It leaked: revoked when its users have moved, or after 10 s if they have not. */
  readonly revokeNow?: boolean;
  /** Ends the waiting, not the work. */
  readonly signal?: AbortSignal;
}

interface Parts {
  readonly clock: Clock;
  readonly store: Store;
  readonly book: LeaseBook;
  /** Ends with the engine. */
  readonly signal: AbortSignal;
}

/** How long users of a leaked credential may take to move. */
const moveMs = 10_000;
const revokeMs = 5000;

/** `keys` are entries of `track`. */
export async function rotateTrack(
  track: SecretTrack,
  keys: readonly string[],
  revokeNow: boolean,
  parts: Parts,
): Promise<RotateResult[]> {
  const [entry] = keys.flatMap((key) => parts.store.find(key) ?? []);
  const before = leaseOf(entry, parts.book);
  const had = entry?.current;
  const { outcome, error } = await track.ask('rotate', 'interactive', 'asked');
  const isChanged = outcome === 'changed';
  if (error !== undefined) {
    const old = had === undefined ? 'none' : 'lives';
    return keys.map((key) => ({ key, outcome: 'failed', isChanged, error, old }));
  }
  const { value } = track.view();
  if (value === undefined || !isMinted(value.kind)) {
    return keys.map((key) => ({ key, outcome: 'not_issued', isChanged, old: 'none' }));
  }
  const old = had === undefined ? 'none' : await end(before, revokeNow, parts);
  return keys.map((key) => ({ key, outcome: 'rotated', isChanged, old }));
}

async function end(
  lease: OwnedLease | undefined,
  revokeNow: boolean,
  { clock, book, signal }: Parts,
): Promise<RotateResult['old']> {
  if (lease === undefined) return 'lives';
  if (!revokeNow) return book.has(lease) ? 'retires' : 'revoked';
  const gone = book.condemn(lease);
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  const late = clock.sleep(moveMs, until).then(
    () => book.revokeNow(lease, until),
    () => undefined, // it went before, or the engine closes
  );
  const deadline = clock.setTimer(moveMs + revokeMs, () => ending.abort());
  await Promise.race([gone, late]);
  deadline.cancel();
  ending.abort();
  return book.has(lease) ? 'lives' : 'revoked';
}

function leaseOf(entry: Entry | undefined, book: LeaseBook): OwnedLease | undefined {
  const id = entry?.current?.lease?.id;
  return id === undefined || entry === undefined ? undefined : book.find(entry.reference.upstream, id);
}

export function noSuchEntry(key: string): LatchkeyError {
  return new LatchkeyError('not_found', `no secret ${JSON.stringify(key)} is in use here`);
}
