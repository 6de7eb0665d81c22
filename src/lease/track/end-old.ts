// What becomes of the credential that a rotation on demand has replaced: its lease ends after the overlap, or after a leak
// when its users have moved; what has no lease is revoked after a leak only, where upstream can do that.

import { describeError, errorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import { nextChange } from '../../base/time/until.ts';
import type { Reference } from '../../store/reference.ts';
import type { ReadableSource } from '../../store/secret-reading.ts';
import type { SecretAnswer, SecretVersion } from '../../store/secret-version.ts';
import type { Store } from '../../store/store.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { LeaseObserver } from '../lease-observer.ts';
import type { SourceTable } from '../source-table.ts';
import type { SecretTrack } from './secret-track.ts';
import { isMinted } from './secret-view.ts';

export interface OldFate {
  /** `retires`: revoked `overlap` after its last user has moved. `revoked`: it is gone. `lives`: to its own end. */
  readonly old: 'retires' | 'revoked' | 'lives';
  /** Why it lives though it was to go, and what helps: the end of a sentence. */
  readonly note?: string;
}

export interface OldCredential {
  readonly reference: Reference;
  /** By entry, as each numbers it. */
  readonly versions: ReadonlyMap<string, SecretVersion>;
  readonly lease: OwnedLease | undefined;
}

export interface EndParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly book: LeaseBook;
  readonly sources: SourceTable;
  readonly logger: Logger;
  readonly observer: LeaseObserver;
  /** Ends with the engine. */
  readonly signal: AbortSignal;
}

type RevokeParts = Pick<EndParts, 'clock' | 'logger' | 'signal'>;

/** How long users of a leaked credential may take to move. */
const moveMs = 10_000;
const revokeMs = 5000;
const pauseMs = 200;
const mostTries = 3;

export async function endOld(old: OldCredential, revokeNow: boolean, parts: EndParts): Promise<OldFate> {
  const { reference, lease } = old;
  const [version] = old.versions.values();
  const source = lease?.issuer ?? parts.sources.find(reference.upstream);
  if (version === undefined || source === undefined) return { old: 'lives' };
  const why = whyLasting(source, reference, version);
  if (lease !== undefined && source.leases !== undefined) {
    const fate = await endLease(lease, revokeNow, parts);
    return why === undefined ? fate : { old: 'lives', note: why };
  }
  if (!revokeNow) return { old: 'lives' };
  return why === undefined ? revokeOld(old, version, source, parts) : { old: 'lives', note: why };
}

/** Undefined: it can be revoked. */
function whyLasting(
  source: ReadableSource,
  reference: Reference,
  version: SecretVersion,
): string | undefined {
  if (source.revocation !== undefined) return source.revocation.whyLasting(reference, version);
  if (version.lease !== undefined && source.leases !== undefined) return undefined;
  return `upstream ${source.name} has no request that takes it back`;
}

async function endLease(lease: OwnedLease, revokeNow: boolean, parts: EndParts): Promise<OldFate> {
  const { clock, book, signal } = parts;
  if (!revokeNow) return { old: book.has(lease) ? 'retires' : 'revoked' };
  let failure: unknown;
  const gone = book.condemn(lease);
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  const late = clock.sleep(moveMs, until).then(
    async () => {
      failure = await book.revokeNow(lease, until);
    },
    () => undefined, // it went before, or the engine closes
  );
  const deadline = clock.setTimer(moveMs + revokeMs, () => ending.abort());
  await Promise.race([gone, late]);
  deadline.cancel();
  ending.abort();
  if (!book.has(lease)) return { old: 'revoked' };
  const why = failure === undefined ? 'upstream did not answer in time' : describeError(failure);
  return { old: 'lives', note: `its lease was not revoked: ${why}` };
}

async function revokeOld(
  { reference, versions }: OldCredential,
  answer: SecretAnswer,
  source: ReadableSource,
  parts: EndParts,
): Promise<OldFate> {
  await untilMoved(versions, parts);
  const failure = await revokeAnswer(source, reference, answer, parts);
  for (const [key, { number }] of versions) parts.observer.withdrawn?.(key, number, failure);
  if (failure !== undefined) return { old: 'lives', note: describeError(failure) };
  return { old: 'revoked' };
}

/** Resolves when nobody holds them, or after `moveMs`. */
async function untilMoved(
  versions: ReadonlyMap<string, SecretVersion>,
  { clock, store, signal }: EndParts,
): Promise<void> {
  const isHeld = (): boolean =>
    Array.from(versions).some(([key, { number }]) =>
      store
        .holders(key)
        .values()
        .some((held) => held.number === number),
    );
  const late = new AbortController();
  const timer = clock.setTimer(moveMs, () => late.abort());
  const until = AbortSignal.any([signal, late.signal]);
  try {
    while (isHeld()) await nextChange((moved) => store.listen({ unheld: moved, closed: moved }), until);
  } catch {
    // They had their time.
  } finally {
    timer.cancel();
  }
}

/** A few tries; resolves with what stood in the way. */
async function revokeAnswer(
  { revocation, name }: ReadableSource,
  reference: Reference,
  answer: SecretAnswer,
  { clock, logger, signal }: RevokeParts,
): Promise<unknown> {
  const giveUp = new AbortController();
  const deadline = clock.setTimer(revokeMs, () => giveUp.abort());
  const until = AbortSignal.any([signal, giveUp.signal]);
  const what = { upstream: name, path: reference.path };
  let failure: unknown = signal.aborted ? signal.reason : undefined;
  for (let attempt = 1; attempt <= mostTries && !until.aborted; attempt += 1) {
    try {
      await revocation?.revoke(reference, answer, { signal: until, priority: 'interactive' });
      logger.info(what, 'revoked what was issued without a lease');
      failure = undefined;
      break;
    } catch (error) {
      failure = error;
      if (!errorCode(error).startsWith('upstream_')) break;
      await clock.sleep(pauseMs * attempt, until).catch(() => undefined); // the loop ends
    }
  }
  deadline.cancel();
  if (failure !== undefined)
    logger.warn(
      { ...what, code: errorCode(failure) },
      `could not revoke what was issued without a lease: ${describeError(failure)}`,
    );
  return failure;
}

/** Of everything in use: what was issued, and lives on to its own end whatever is revoked. */
export function lastingOf(
  store: Pick<Store, 'entries'>,
  sources: SourceTable,
): { readonly key: string; readonly why: string }[] {
  return Array.from(store.entries()).flatMap(({ key, reference, current }) => {
    const source = sources.find(reference.upstream);
    if (current === undefined || source === undefined || !isMinted(current.kind)) return [];
    const why = whyLasting(source, reference, current);
    return why === undefined ? [] : [{ key, why }];
  });
}

/** For an end with no next start: all in use that has no lease and can be revoked. */
export async function revokeUnleased(
  tracks: Iterable<Pick<SecretTrack, 'reference' | 'unleased'>>,
  parts: RevokeParts & Pick<EndParts, 'sources'>,
): Promise<void> {
  const due = Array.from(tracks).flatMap(({ reference, unleased }) => {
    const [source, answer] = [parts.sources.find(reference.upstream), unleased()];
    if (source?.revocation === undefined || answer === undefined) return [];
    const lasts = source.revocation.whyLasting(reference, answer) !== undefined;
    return lasts ? [] : [revokeAnswer(source, reference, answer, parts)];
  });
  await Promise.all(due);
}
