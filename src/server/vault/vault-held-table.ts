// The tokens and leases that are kept for callers, by request and by token, and what goes with what: leases and tokens
// with the token that they were got by.

import type { SecretValue } from '../../base/secret-value.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Moment } from '../../base/time/moment.ts';
import type { HeldLease } from '../../store/loan.ts';
import type { ToldAnswer } from './vault-answer.ts';
import type { Span } from './vault-body.ts';
import type { Grant } from './vault-held-policy.ts';

export interface Held {
  readonly key: string;
  /** The upstream that it is of. */
  readonly source: unknown;
  /** Who asked for it first; their share of the table. */
  readonly user: string;
  readonly path: string;
  readonly namespace: string | undefined;
  readonly grant: Omit<Grant, 'id'>;
  /** By which it is renewed: of a token itself, of a lease the token that it was asked with. */
  readonly token: SecretValue | undefined;
  /** Of a token. */
  readonly digest: string | undefined;
  /** Of the token that it was asked with; `auto` for the agent's own, and which one that was. */
  readonly askedBy: string;
  readonly ownAccessor: string | undefined;
  readonly leaseId: string | undefined;
  readonly lease: HeldLease;
  readonly body: SecretValue;
  /** Where in the body the number stands that counts down. */
  readonly span: Span | undefined;
  /** Wall time in milliseconds. */
  readonly obtainedAt: number;
  confirmedAt: Moment;
  /** Monotonic. */
  usedAt: number;
  /** Something was revoked that it may have hung on. */
  isDoubtful: boolean;
  checking: Promise<void> | undefined;
  /** The answer that was given last. */
  told: ToldAnswer | undefined;
}

export interface HeldTable {
  find(key: string): Held | undefined;
  /** By the digest of a token: that one itself. */
  ofToken(digest: string): Held | undefined;
  has(held: Held): boolean;
  all(): Held[];
  readonly size: number;
  /** Of whoever has most here (in bytes where those are too many), what was used least lately goes when there is no room. */
  add(held: Held): void;
  /** With all that was got by it; but tokens are not where they became orphans. */
  drop(held: Held, areOrphaned?: boolean): void;
  dropWhere(isMeant: (held: Held) => boolean, areOrphaned?: boolean): void;
  dropAskedBy(askedBy: string, areOrphaned: boolean): void;
  /** In use, and with it the token that it was got by. */
  touch(held: Held | undefined): void;
  /** Of every token it must be asked whether it still is. */
  doubt(): void;
  /** Forgets all; what the agent's own token got is the engine's to end. */
  close(): void;
}

interface HeldTableOptions {
  readonly clock: Clock;
  readonly maxEntries: number;
  /** Of bodies, with the copies that are made of them to answer with. */
  readonly maxBytes: number;
}

/** The body, the one in which its rest of life was counted down last, and that with the headers. */
const copies = 3;

export function createHeldTable({ clock, maxEntries, maxBytes }: HeldTableOptions): HeldTable {
  const byKey = new Map<string, Held>();
  const byToken = new Map<string, Held>();
  let bytes = 0;

  const has = (held: Held): boolean => byKey.get(held.key) === held;

  function drop(held: Held, areOrphaned = false): void {
    if (!has(held)) return;
    byKey.delete(held.key);
    bytes -= weightOf(held);
    held.lease.release();
    if (held.digest === undefined) return;
    byToken.delete(held.digest);
    dropAskedBy(held.digest, areOrphaned);
  }

  function dropWhere(isMeant: (held: Held) => boolean, areOrphaned = false): void {
    for (const held of [...byKey.values()]) if (isMeant(held)) drop(held, areOrphaned);
  }

  function dropAskedBy(askedBy: string, areOrphaned: boolean): void {
    dropWhere(({ grant, ...held }) => {
      const livesOn = grant.kind === 'token' && (areOrphaned || grant.isOrphan);
      return held.askedBy === askedBy && !livesOn;
    });
  }

  function touch(held: Held | undefined): void {
    for (let next = held; next !== undefined; next = byToken.get(next.askedBy)) next.usedAt = clock.now();
  }

  /** By how many they are, or by how heavy. */
  function makeRoom(worthOf: (held: Held) => number): void {
    const sum = (all: readonly Held[]) => all.reduce((total, held) => total + worthOf(held), 0);
    const users = Map.groupBy(byKey.values(), ({ user }) => user).values();
    const [first, ...others] = Array.from(users, (all) => ({ all, sum: sum(all) }));
    if (first === undefined) return;
    const { all } = others.reduce((a, b) => (b.sum > a.sum ? b : a), first);
    drop(all.reduce((a, b) => (b.usedAt < a.usedAt ? b : a)));
  }

  return {
    find: (key) => byKey.get(key),
    ofToken: (digest) => byToken.get(digest),
    has,
    all: () => [...byKey.values()],
    get size() {
      return byKey.size;
    },
    add(held) {
      const weight = weightOf(held);
      if (byKey.size >= maxEntries) makeRoom(() => 1);
      while (byKey.size > 0 && bytes + weight > maxBytes) makeRoom(weightOf);
      byKey.set(held.key, held);
      bytes += weight;
      if (held.digest !== undefined) byToken.set(held.digest, held);
      touch(held);
    },
    drop,
    dropWhere,
    dropAskedBy,
    touch,
    doubt() {
      for (const held of byToken.values()) held.isDoubtful = true;
    },
    close() {
      const callers = [...byKey.values()].filter(({ token }) => token !== undefined);
      byKey.clear();
      byToken.clear();
      bytes = 0;
      for (const { lease } of callers) lease.release();
    },
  };
}

function weightOf({ body }: Held): number {
  return body.byteLength * copies;
}
