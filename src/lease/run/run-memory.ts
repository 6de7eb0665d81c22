// What outlives this run: puts the leases and the sealed values together for the state file, and reads what the last run
// left there.

import { type Clock, wallAt } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import type { SecretVersion } from '../../store/secret-version.ts';
import type { LeaseBook } from '../book/lease-book.ts';
import type { OwnedLease } from '../book/owned-lease.ts';
import type { SourceTable } from '../source-table.ts';
import { isMinted } from '../track/secret-view.ts';
import type { TrackTable } from '../track/track-table.ts';
import type { HandOver } from './hand-over.ts';
import type { LeaseRecord, LoginRecord, SavedState, StateFile, ValueRecord } from './state-file.ts';

export interface RunMemory {
  /** Soon, as things are then; not urgent: what will be told again, with all that comes within a moment. */
  save(options?: { isUrgent: boolean }): void;
  /** An entry has another version: saves where something is remembered of such a one. */
  changed(entryKey: string, version: SecretVersion): void;
  closed(entryKey: string): void;
  /** The values stay those of this moment: their entries are about to close. */
  freeze(): void;
  /** Gives the logins of the last run back to their upstreams; returns the names of those that go on with them. */
  resumeLogins(left: SavedState): ReadonlySet<string>;
  /** Upstreams that the next run can neither log in to by itself nor is handed the login of. */
  lostLogins(): string[];
  /**
   * Writes the last state. `forgetsAll`: nothing comes after this run. Resolves with the upstreams whose login the next run
   * goes on with: those of leases that live on, and those that it could not log in to by itself.
   */
  finish(options: { forgetsAll: boolean }): Promise<ReadonlySet<string>>;
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
  livesOn: (lease: OwnedLease) => boolean;
}

/** A start of a thousand secrets, of which none is issued, is no thousand writes of the same. */
const gatherMs = 200;

export function createRunMemory(options: RunMemoryOptions): RunMemory {
  const { clock, book, sources, file, handOver } = options;
  let frozen: ValueRecord[] | undefined;
  /** Of these upstreams alone logins are written; undefined: of all. */
  let kept: ReadonlySet<string> | undefined;
  const later = createEarliestTimer(clock, () => file?.save(stateNow));
  /** Entries whose value is remembered. */
  const issued = new Set<string>();

  function save({ isUrgent }: { isUrgent: boolean }): void {
    if (isUrgent) file?.save(stateNow);
    else later.within(gatherMs);
  }

  function values(): ValueRecord[] {
    if (handOver === undefined) return [];
    const issued = Array.from(options.tracks().all(), (track) => track.issued()).flat();
    // Killed in its first moment, this run must not have forgotten what it had not come to.
    const rest = clock.now() < options.restUntil ? handOver.rest() : [];
    return [...issued.map(handOver.seal), ...rest];
  }

  function stateNow(): SavedState {
    const leases = [...book.leases()].filter((lease) => !options.livesOn(lease)).map(recordOf);
    return { leases, values: frozen ?? values(), logins: logins() };
  }

  function logins(): LoginRecord[] {
    if (handOver === undefined) return [];
    return [...sources.all()].flatMap(([name, source]) => {
      const login = kept?.has(name) === false ? undefined : source.login?.handOn();
      return login === undefined ? [] : [handOver.sealLogin(name, login)];
    });
  }

  function keptLogins(): ReadonlySet<string> {
    if (handOver === undefined) return new Set();
    const ofLeases = [...book.leases()].filter(({ policy }) => policy.onExit === 'keep');
    const spent = [...sources.all()].filter(([, source]) => source.login?.isSpent() === true);
    return new Set([...ofLeases.map(({ upstream }) => upstream), ...spent.map(([name]) => name)]);
  }

  function hasSpentLogin(): boolean {
    for (const [, source] of sources.all()) if (source.login?.isSpent() === true) return true;
    return false;
  }

  function lostLogins(): string[] {
    return [...sources.all()].flatMap(([name, { login }]) => {
      const isLost = login?.isSpent() === true && (handOver === undefined || login.handOn() === undefined);
      return isLost ? [name] : [];
    });
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
      isOfLogin: lease.latestEnd === Number.POSITIVE_INFINITY,
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
    save: (how = { isUrgent: true }) => save(how),
    changed(entryKey, { kind, number }) {
      if (handOver === undefined) return;
      const wasIssued = issued.delete(entryKey);
      const isIssued = isMinted(kind);
      if (isIssued) issued.add(entryKey);
      // With a first value what the last run left for it is taken, or of no use; a login that cannot be repeated is kept as
      // it is now.
      if (isIssued || wasIssued || number === 1 || hasSpentLogin()) save({ isUrgent: isIssued });
    },
    closed: (entryKey) => void issued.delete(entryKey),
    lostLogins,
    freeze() {
      later.cancel();
      frozen ??= values();
    },
    resumeLogins({ logins: left, leases }) {
      const resumed = new Set<string>();
      for (const record of left) {
        const { upstream } = record;
        const [login, source] = [handOver?.openLogin(record), sources.find(upstream)?.login];
        if (login === undefined || source === undefined) continue;
        const own = leases.filter((lease) => lease.upstream === upstream && lease.isOfLogin === true);
        source.resume(
          login,
          own.map(({ leaseId }) => leaseId),
        );
        resumed.add(upstream);
      }
      return resumed;
    },
    async finish({ forgetsAll }) {
      if (forgetsAll) frozen = [];
      kept = forgetsAll ? new Set() : keptLogins();
      file?.save(stateNow);
      await file?.flush();
      return kept;
    },
  };
}
