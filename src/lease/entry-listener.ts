// Follows the entries of the store: who begins and ceases to want one, and which version is held by nobody any more.
import type { Entry } from '../store/entry.ts';
import type { SecretVersion } from '../store/secret-version.ts';
import type { Store } from '../store/store.ts';
import type { LeaseBook } from './book/lease-book.ts';
import type { OwnedLease } from './book/owned-lease.ts';
import type { LastRun } from './run/last-run.ts';
import type { RunMemory } from './run/run-memory.ts';
import type { TrackTable } from './track/track-table.ts';

export interface EntryListener {
  /** Begins with the entries that there are. */
  follow(): void;
  /** What they do from now on is nobody's affair. */
  leave(): void;
}

interface EntryListenerOptions {
  readonly store: Store;
  readonly book: LeaseBook;
  readonly tracks: TrackTable;
  readonly memory: RunMemory;
  readonly lastRun: LastRun;
}

export function createEntryListener(options: EntryListenerOptions): EntryListener {
  const { store, book, tracks, memory, lastRun } = options;
  let stopListening: (() => void) | undefined;

  function closed(entry: Entry, versions: readonly SecretVersion[]): void {
    memory.closed(entry.key);
    tracks.leave(entry);
    for (const version of versions) {
      const lease = leaseOf(entry, version);
      if (lease !== undefined) abandon(lease, entry);
    }
    tracks.sweep();
  }

  function abandon(lease: OwnedLease, entry: Entry): void {
    book.setPolicy(lease, entry.policy);
    book.abandon(lease, entry.key);
  }

  function leaseOf(entry: Entry, version: SecretVersion): OwnedLease | undefined {
    return version.lease === undefined ? undefined : book.find(entry.reference.upstream, version.lease.id);
  }

  function unheld(entry: Entry, version: SecretVersion): void {
    const lease = leaseOf(entry, version);
    if (lease === undefined) return;
    book.setPolicy(lease, entry.policy);
    book.leave(lease, entry.key);
  }

  function policyChanged(entry: Entry): void {
    for (const lease of book.leases()) if (lease.users.has(entry.key)) book.setPolicy(lease, entry.policy);
    tracks.ofEntry(entry.key)?.replan();
    memory.save();
  }

  return {
    follow() {
      for (const entry of store.entries()) tracks.join(entry);
      stopListening = store.listen({
        opened: tracks.join,
        closed,
        unheld,
        changed(entry, version) {
          lastRun.published(entry.key);
          memory.changed(entry.key, version);
        },
        policyChanged,
      });
    },
    leave() {
      stopListening?.();
      stopListening = undefined;
    },
  };
}
