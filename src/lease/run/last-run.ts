// The leases that the last run left. The files that it wrote may still hold them, so each lives on until its secret is
// here again and its users have moved; then it goes the way of any superseded lease.
import type { Clock, Timer } from '../../base/time/clock.ts';
import type { Store } from '../../store/store.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { LeaseRecord } from './state-file.ts';

export interface LastRun {
  /** `resumed`: upstreams that go on with the login of the last run, so that its leases do not end with it. */
  adopt(records: readonly LeaseRecord[], resumed: ReadonlySet<string>): void;
  /** The entry has a value of this run. */
  published(entryKey: string): void;
  close(): void;
}

interface LastRunOptions {
  clock: Clock;
  store: Store;
  book: LeaseBook;
  /** Nobody may hold a version for good (only the socket asks): then the users count as moved after this time. */
  graceMs: number;
}

const user = 'the last run';
const lookEveryMs = 1000;

export function createLastRun(options: LastRunOptions): LastRun {
  const { clock, store, book, graceMs } = options;
  const waiting = new Map<string, OwnedLease[]>();
  const timers = new Set<Timer>();

  function later(delayMs: number, callback: () => void): void {
    const timer = clock.setTimer(delayMs, () => {
      timers.delete(timer);
      callback();
    });
    timers.add(timer);
  }

  function letGo(leases: readonly OwnedLease[]): void {
    for (const lease of leases) book.leave(lease, user);
  }

  function waitForUsers(entryKey: string, leases: readonly OwnedLease[], until: number): void {
    if (store.holders(entryKey).size > 0 || clock.now() >= until) letGo(leases);
    else later(lookEveryMs, () => waitForUsers(entryKey, leases, until));
  }

  /** Entries that nobody opens any more: `on_exit` spoke of the exit, and here is somebody who can revoke. */
  function sortOut(): void {
    for (const [entryKey, leases] of waiting) {
      if (store.find(entryKey) !== undefined) continue;
      waiting.delete(entryKey);
      letGo(leases);
    }
    if (waiting.size > 0) later(graceMs, sortOut);
  }

  return {
    adopt(records, resumed) {
      for (const record of records) {
        const remainingMs = record.expiresAt - clock.wall();
        const tokenMs =
          record.tokenEndsAt === undefined || (record.isOfLogin === true && resumed.has(record.upstream))
            ? Number.POSITIVE_INFINITY
            : record.tokenEndsAt - clock.wall();
        // Also one that seems over: the last renewal may not have come into the file, and the clock may have been set.
        const lease = book.add({
          upstream: record.upstream,
          id: record.leaseId,
          key: record.key,
          durationSeconds: record.durationSeconds,
          isRenewable: record.isRenewable && tokenMs > 0,
          users: [user],
          policy: { overlapMs: record.overlapMs, onExit: record.onExit },
          grantedAt: clock.now(),
          endsAt: clock.now() + remainingMs,
          latestEnd: clock.now() + tokenMs,
        });
        book.supersede(lease);
        waiting.set(record.key, [...(waiting.get(record.key) ?? []), lease]);
      }
      if (waiting.size > 0) later(graceMs, sortOut);
    },
    published(entryKey) {
      const leases = waiting.get(entryKey);
      if (leases === undefined || !waiting.delete(entryKey)) return;
      waitForUsers(entryKey, leases, clock.now() + graceMs);
    },
    close() {
      for (const timer of timers) timer.cancel();
      timers.clear();
    },
  };
}
