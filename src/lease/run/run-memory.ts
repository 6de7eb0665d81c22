// What outlives this run: puts the leases and the sealed values together for the state file, and reads what the last run
// left there.
import { type Clock, wallAt } from '../../base/clock.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { SourceTable } from '../source-table.ts';
import type { TrackTable } from '../track/track-table.ts';
import type { HandOver } from './hand-over.ts';
import type { LeaseRecord, SavedState, StateFile, ValueRecord } from './state-file.ts';

export interface RunMemory {
  /** Soon, as things are then. */
  save(): void;
  /** The values stay those of this moment: their entries are about to close. */
  freeze(): void;
  /** Writes the last state. `forgetsValues`: nothing comes after this run. */
  finish(options: { forgetsValues: boolean }): Promise<void>;
}

interface RunMemoryOptions {
  clock: Clock;
  book: LeaseBook;
  sources: SourceTable;
  tracks: () => TrackTable;
  file: StateFile | undefined;
  handOver: HandOver | undefined;
  /** From then on what nobody took is forgotten (monotonic). */
  restUntil: number;
}

export function createRunMemory(options: RunMemoryOptions): RunMemory {
  const { clock, book, sources, file, handOver } = options;
  let frozen: ValueRecord[] | undefined;

  function values(): ValueRecord[] {
    if (handOver === undefined) return [];
    const issued = Array.from(options.tracks().all(), (track) => track.issued()).flat();
    // Killed in its first moment, this run must not have forgotten what it had not come to.
    const rest = clock.now() < options.restUntil ? handOver.rest() : [];
    return [...issued.map(handOver.seal), ...rest];
  }

  function stateNow(): SavedState {
    return { leases: Array.from(book.leases(), recordOf), values: frozen ?? values() };
  }

  function recordOf(lease: OwnedLease): LeaseRecord {
    return {
      upstream: lease.upstream,
      key: lease.key,
      leaseId: lease.id,
      durationSeconds: lease.askedSeconds,
      isRenewable: lease.canRenew,
      expiresAt: wallAt(clock, lease.endsAt),
      overlapMs: lease.policy.overlapMs,
      onExit: lease.policy.onExit,
      ...tokenEndOf(lease),
    };
  }

  /** Of a lease that another run was granted, upstream knows nothing, but that run did. */
  function tokenEndOf({ upstream, id, latestEnd, issuer }: OwnedLease): { tokenEndsAt?: number } {
    const source = issuer ?? sources.find(upstream);
    const told = source?.leases?.issuerEndsAt?.(id) ?? Number.POSITIVE_INFINITY;
    const tokenEndsAt = Math.min(told, wallAt(clock, latestEnd));
    return Number.isFinite(tokenEndsAt) ? { tokenEndsAt } : {};
  }

  return {
    save: () => file?.save(stateNow),
    freeze() {
      frozen ??= values();
    },
    async finish({ forgetsValues }) {
      if (forgetsValues) frozen = [];
      file?.save(stateNow);
      await file?.flush();
    },
  };
}
