// Leases whose end is told from outside: the token behind them ends, or somebody has revoked them.
import type { Clock } from '../base/time/clock.ts';
import type { LeaseBook } from './book/lease-book.ts';
import type { OwnedLease } from './book/owned-lease.ts';
import type { SourceTable } from './source-table.ts';
import type { MintFloor } from './track/mint-floor.ts';
import type { TrackTable } from './track/track-table.ts';

export interface LeaseEnds {
  /** These leases end at `endsAt` (wall time) at the latest, and no renewal moves that: the token behind them ends. */
  leasesEnd(upstream: string, leaseIds: readonly string[], endsAt: number): void;
  /** A caller has revoked these leases: what came with them is over, and another credential may be made at once. */
  leasesRevoked(upstream: string, leaseIds: readonly string[]): void;
}

interface LeaseEndsOptions {
  readonly clock: Clock;
  readonly book: LeaseBook;
  readonly sources: SourceTable;
  readonly floor: MintFloor;
  readonly tracks: TrackTable;
}

export function createLeaseEnds(options: LeaseEndsOptions): LeaseEnds {
  const { clock, book, sources, floor, tracks } = options;

  function keysOf({ users }: OwnedLease): string[] {
    return [...users].flatMap((user) => tracks.ofEntry(user)?.canonicalKey() ?? []);
  }

  function leasesEnd(upstream: string, leaseIds: readonly string[], endsAt: number): void {
    const end = clock.now() + (endsAt - clock.wall());
    for (const leaseId of leaseIds) {
      const lease = book.find(upstream, leaseId);
      if (lease === undefined) continue;
      book.capEnd(lease, end);
      for (const key of keysOf(lease)) {
        // No loop of mints: a reload made this upstream end, once; and a token whose end is told ahead lived its life. One
        // that was refused may be refused again in a moment.
        if (lease.issuer !== sources.find(upstream)) floor.forgive(key);
        else if (end > clock.now()) floor.shorten(key, end);
      }
    }
    for (const track of tracks.ofUpstream(upstream)) track.replan();
  }

  return {
    leasesEnd,
    leasesRevoked(upstream, leaseIds) {
      for (const leaseId of leaseIds) {
        const lease = book.find(upstream, leaseId);
        for (const key of lease === undefined ? [] : keysOf(lease)) floor.forgive(key);
      }
      leasesEnd(upstream, leaseIds, clock.wall());
    },
  };
}
