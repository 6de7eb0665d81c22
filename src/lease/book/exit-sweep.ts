// The end of the engine: waits a moment for credentials that are being made, then revokes what must not outlive it. An
// upstream that does not answer holds nobody up: what it leaves is in the state file.
import type { Clock } from '../../base/time/clock.ts';
import type { EntryPolicy } from '../../store/entry.ts';
import type { LeaseBook } from './lease-book.ts';
import type { OwnedLease } from './owned-lease.ts';

/** How long a read under way may still bring a credential, that somebody would else have to revoke. */
const readGraceMs = 500;
/** With no revocation done for so long the rest is given up. */
const stallMs = 1000;

interface ExitSweepOptions {
  clock: Clock;
  book: LeaseBook;
  /** Ends the whole of it early. */
  signal: AbortSignal;
  /** What becomes of it now, whatever its secret says. */
  onExitOf: (lease: OwnedLease) => EntryPolicy['onExit'];
  /** Resolves when no request of a track is under way. */
  stopTracks: () => Promise<unknown>;
  /** Of what has no lease, as far as it is wanted; has an end of its own. */
  revokeUnleased: () => Promise<unknown>;
  /** Gives every request under way up. */
  giveUp: () => void;
}

/** Resolves when nothing is under way any more; what could not be revoked is still in the book. */
export async function sweepAtExit({
  clock,
  book,
  signal,
  onExitOf,
  stopTracks,
  revokeUnleased,
  giveUp,
}: ExitSweepOptions): Promise<void> {
  const grace = clock.setTimer(readGraceMs, giveUp);
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  await stopTracks();
  grace.cancel();
  for (const lease of book.leases()) book.setPolicy(lease, { ...lease.policy, onExit: onExitOf(lease) });
  await Promise.all([revokeAll(clock, book, signal), revokeUnleased()]);
  signal.removeEventListener('abort', giveUp);
  giveUp();
}

async function revokeAll(clock: Clock, book: LeaseBook, signal: AbortSignal): Promise<void> {
  const stalled = new AbortController();
  const until = AbortSignal.any([signal, stalled.signal]);
  let timer = clock.setTimer(stallMs, () => stalled.abort());
  const due = [...book.leases()].filter((lease) => lease.policy.onExit === 'revoke');
  await Promise.all(
    due.map(async (lease) => {
      if ((await book.revokeNow(lease, until)) !== undefined) return;
      timer.cancel();
      timer = clock.setTimer(stallMs, () => stalled.abort());
    }),
  );
  timer.cancel();
}
