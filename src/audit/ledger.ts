// Which caller holds which version of which secret. A held version keeps its lease: until the caller has fetched a
// newer one, its process has ended, or (where there is no process to watch) an hour has passed.

import type { Clock } from '../base/time/clock.ts';
import { createEarliestTimer } from '../base/time/earliest-timer.ts';

/** The part of a caller that the ledger needs (structurally a `Caller` of access). */
export type Holder =
  | {
      readonly kind: 'process';
      readonly uid: number;
      readonly pid: number;
      readonly startTime: string | undefined;
      readonly exe: string | undefined;
      readonly unit: string | undefined;
    }
  | { readonly kind: 'token'; readonly tokens: readonly string[] }
  /** A unit that got a credential before it began. */
  | { readonly kind: 'unit'; readonly unit: string }
  /** Nobody in particular. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'open' };

export interface DeliveredVersion {
  /** That it was asked by. */
  readonly name: string;
  readonly entryKey: string;
  /** The store's number, and the one that people see. */
  readonly number: number;
  readonly shownVersion: number;
}

/** The store, as far as the ledger needs it. */
interface VersionHolds {
  hold(consumer: string, key: string, number: number): void;
  release(consumer: string, key?: string): void;
}

interface LedgerRecord extends DeliveredVersion {
  /** `caller:uid 1000, pid 41@8812`: the consumer's name in the store. */
  readonly consumer: string;
  readonly holder: Holder;
  /** Wall time in milliseconds of the first delivery of this version, and of the last. */
  readonly since: number;
  readonly lastAt: number;
  readonly deliveries: number;
}

export interface Ledger {
  /** On every answer with a secret; cheap when the caller has had this version before. */
  delivered(holder: Holder, delivered: DeliveredVersion): void;
  /** Who holds a version of this entry; with `shownVersion` only that one. */
  whoHas(entryKey: string, shownVersion?: number): LedgerRecord[];
  readonly size: number;
  close(): void;
}

interface LedgerOptions {
  holds: VersionHolds;
  clock: Clock;
  /** Whether the process that began then still runs; from access, which knows /proc. */
  isAlive(pid: number, startTime: string): boolean;
  /** Told when records begin to be dropped for want of room; once, until there is room again. */
  onOverflow?(): void;
  maxRecords?: number;
}

const checkEveryMs = 2000;
/** Processes looked at in one go, so that ten thousand do not stop the loop for long. */
const checkedAtOnce = 200;
const unwatchedHoldMs = 3_600_000;

interface Row extends LedgerRecord {
  lastAt: number;
  /** The same, monotonic: nobody's hold ends because the clock was set. */
  usedAt: number;
  deliveries: number;
}

/** One process (or token), with its rows by entry key. */
interface Account {
  readonly consumer: string;
  readonly holder: Holder;
  readonly rows: Map<string, Row>;
  readonly share: Share;
}

/** What all processes of a user hold, the oldest first. */
interface Share {
  readonly user: string;
  readonly accounts: Set<Account>;
  rows: number;
}

export function createLedger(options: LedgerOptions): Ledger {
  const { holds, clock, isAlive, onOverflow, maxRecords = 10_000 } = options;
  const accounts = new Map<string, Account>();
  const shares = new Map<string, Share>();
  /** Spares building the consumer's name for every answer. */
  const known = new WeakMap<Holder, Account>();
  let size = 0;
  const timer = createEarliestTimer(clock, check);
  let queue: Account[] = [];
  let isOverflowing = false;

  function accountOf(holder: Holder): Account {
    let account = known.get(holder);
    if (account !== undefined && accounts.get(account.consumer) === account) return account;
    const consumer = consumerOf(holder);
    account = accounts.get(consumer) ?? { consumer, holder, rows: new Map(), share: shareOf(holder) };
    accounts.set(consumer, account);
    account.share.accounts.add(account);
    known.set(holder, account);
    return account;
  }

  function shareOf(holder: Holder): Share {
    const user = holder.kind === 'process' ? `uid ${holder.uid}` : consumerOf(holder);
    const share = shares.get(user) ?? { user, accounts: new Set(), rows: 0 };
    shares.set(user, share);
    return share;
  }

  function drop(account: Account): void {
    const { consumer, share, rows } = account;
    // One that has made room may be still to be looked at, and the same caller have another by now.
    if (accounts.get(consumer) !== account) return;
    accounts.delete(consumer);
    size -= rows.size;
    share.rows -= rows.size;
    share.accounts.delete(account);
    if (share.accounts.size === 0) shares.delete(share.user);
    holds.release(consumer);
  }

  function makeRoom(): void {
    if (size < maxRecords) return;
    // Of whoever holds most: nobody's records go because another user begins one process after another.
    const most = [...shares.values()].reduce((a, b) => (b.rows > a.rows ? b : a));
    const [oldest] = most.accounts;
    if (oldest === undefined) return;
    if (!isOverflowing) onOverflow?.();
    isOverflowing = true;
    drop(oldest);
  }

  function add(holder: Holder, delivered: DeliveredVersion): void {
    makeRoom();
    const account = accountOf(holder);
    const now = clock.wall();
    const { name, entryKey, number, shownVersion } = delivered;
    if (!account.rows.has(entryKey)) {
      size += 1;
      account.share.rows += 1;
    }
    const row = { consumer: account.consumer, holder: account.holder, name, entryKey, number, shownVersion };
    account.rows.set(entryKey, { ...row, since: now, lastAt: now, usedAt: clock.now(), deliveries: 1 });
    holds.hold(account.consumer, entryKey, number);
    arm();
  }

  function arm(): void {
    if (accounts.size > 0) timer.within(checkEveryMs);
  }

  function check(): void {
    if (queue.length === 0) queue = [...accounts.values()];
    for (const account of queue.splice(0, checkedAtOnce)) if (isOver(account)) drop(account);
    if (size < maxRecords / 2) isOverflowing = false;
    arm();
  }

  function isOver({ holder, rows }: Account): boolean {
    if (holder.kind === 'process' && holder.pid > 0 && holder.startTime !== undefined) {
      return !isAlive(holder.pid, holder.startTime);
    }
    const limit = clock.now() - unwatchedHoldMs;
    return [...rows.values()].every((row) => row.usedAt < limit);
  }

  return {
    delivered(holder, delivered) {
      if (holder.kind === 'unknown' || holder.kind === 'open') return;
      const row = known.get(holder)?.rows.get(delivered.entryKey);
      if (row?.number !== delivered.number || !accounts.has(row.consumer)) {
        add(holder, delivered);
        return;
      }
      row.deliveries += 1;
      row.lastAt = clock.wall();
      row.usedAt = clock.now();
    },
    whoHas(entryKey, shownVersion) {
      const rows = [...accounts.values()].map((account) => account.rows.get(entryKey));
      return rows
        .filter((row) => row !== undefined)
        .filter((row) => shownVersion === undefined || row.shownVersion === shownVersion);
    },
    get size() {
      return size;
    },
    close() {
      timer.cancel();
      for (const account of [...accounts.values()]) drop(account);
    },
  };
}

function consumerOf(holder: Holder): string {
  if (holder.kind === 'token') return `caller:token ${holder.tokens[0] ?? ''}`;
  if (holder.kind === 'unit') return `caller:unit ${holder.unit}`;
  if (holder.kind === 'unknown' || holder.kind === 'open') return 'caller:unknown';
  return `caller:uid ${holder.uid}, pid ${holder.pid}@${holder.startTime ?? '?'}`;
}
