// Secrets that callers of the Vault dialect asked for, as entries of the one store: opened at the first request, kept
// current by the lease engine like any other, closed when idle. Who may have one is decided before.

import { BoundedMap } from '../../base/bounded-map.ts';
import { type ErrorCode, errorCode } from '../../base/errors.ts';
import { JsonNumber } from '../../base/text/json.ts';
import { orAborted } from '../../base/time/aborted.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import { UpstreamError } from '../../base/upstream-error.ts';
import { defaultEntryPolicy, type Entry } from '../../store/entry.ts';
import { createReference, type Reference, referenceKey } from '../../store/reference.ts';
import { contentBytes, parseBody, type SecretVersion } from '../../store/secret-version.ts';
import type { EntryHandle, Store } from '../../store/store.ts';
import type { VaultAccess } from '../agent-view.ts';
import { mostPrepared } from '../http/prepared-answer.ts';
import { createVaultAnswer, type VaultAnswer } from './vault-answer.ts';
import type { VaultTarget } from './vault-path-policy.ts';

export interface CachedSecret {
  readonly entry: Entry;
  readonly path: string;
  readonly answer: VaultAnswer;
  /** Monotonic milliseconds of the last request for it. */
  usedAt: number;
}

/** `pass`: ask upstream itself, which alone knows the answer. */
export type Found =
  | { readonly kind: 'secret'; readonly secret: CachedSecret; readonly version: SecretVersion }
  | { readonly kind: 'pass' }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface VaultCache {
  /** What is in memory and may be handed out; no waiting. */
  find(target: VaultTarget): CachedSecret | undefined;
  /** Opens an entry and waits for its first value: one request upstream, however many ask. */
  obtain(target: VaultTarget, signal: AbortSignal): Promise<Found>;
  /** Upstream has taken a write to these paths: those that are in memory are read again before this resolves. */
  written(paths: readonly string[], signal: AbortSignal): Promise<void>;
  /** Upstream has revoked what `isGone` tells by lease id: replaced before this resolves. */
  revoked(isGone: (leaseId: string) => boolean, signal: AbortSignal): Promise<void>;
  /** Asks upstream whether the leases still are; for revocations that do not tell which. */
  checkLeases(signal: AbortSignal): Promise<void>;
  /** The entry whose current lease this is, whoever opened it. */
  entryOfLease(leaseId: string): Entry | undefined;
  /** Asks again for what callers opened and `isMeant` says: static secrets are read, of leased ones another is made. */
  clear(isMeant: (path: string, leaseId: string | undefined) => boolean, signal: AbortSignal): Promise<void>;
  readonly size: number;
  close(): void;
}

interface Slot extends CachedSecret {
  readonly handle: EntryHandle;
  readonly reference: Reference;
  loading: Promise<Found> | undefined;
  isOpen: boolean;
}

interface VaultCacheOptions {
  store: Store;
  vault: VaultAccess;
  clock: Clock;
  /** Whether upstream's own bytes may go to a caller. */
  isClean(bytes: Buffer): boolean;
  limits?: Partial<typeof defaultLimits>;
}

const defaultLimits = {
  /** Entries that callers opened. */
  maxEntries: 1000,
  /** Of their bodies, with the copies that are made of them to answer with. */
  maxBytes: 3 * mostPrepared.bytes,
  /** Those of one path, each with a query of its own: whoever may ask for it could make up as many as they like. */
  maxOfPath: 16,
  /** Nobody asked for so long: closed, unless it is leased and a caller still has it. */
  idleMs: 600_000,
  sweepMs: 10_000,
  /** Paths that are no secret to keep are passed on this long without another look. */
  passMs: 600_000,
  /** Paths that upstream refused. */
  refusedMs: 10_000,
  /** How long a request waits for a value that upstream has not given yet. */
  patienceMs: 30_000,
};
const maxRemembered = 4096;
/** Upstream has answered, and the answer is no. */
const refusals = new Set<ErrorCode>(['not_found', 'mount_not_found', 'denied', 'upstream_answer_invalid']);

export function createVaultCache(options: VaultCacheOptions): VaultCache {
  const { store, vault, clock, isClean } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const life = new AbortController();
  /** By the key of the reference as it was asked for; in order of use, oldest first. */
  const slots = new Map<string, Slot>();
  const slotOf = new WeakMap<VaultTarget, Slot>();
  const passUntil = new BoundedMap<string, number>(maxRemembered);
  const sweeping = createEarliestTimer(clock, sweep);

  function referenceOf(target: VaultTarget): Reference | undefined {
    const upstream = vault.upstream();
    if (upstream === undefined || target.parameters === undefined) return undefined;
    return createReference({ upstream: upstream.name, path: target.path, parameters: target.parameters });
  }

  function open(reference: Reference, key: string): Slot | undefined {
    const all = [...slots.values()];
    const ofPath = all.filter((slot) => slot.path === reference.path);
    if (ofPath.length >= limits.maxOfPath && !makeRoom(ofPath)) return undefined;
    if (slots.size >= limits.maxEntries && !makeRoom(all)) return undefined;
    const canonical = vault.canonicalKey(reference);
    const twin = [...store.entries()].find(
      (entry) => entry.reference.operation === 'read' && vault.canonicalKey(entry.reference) === canonical,
    );
    // On a twin's own entry who-has tells of callers too; its policy stays what its opener wished.
    const handle = store.open(twin?.reference ?? reference, twin?.policy ?? defaultEntryPolicy);
    const { entry } = handle;
    const { path } = reference;
    const answer = createVaultAnswer({ entry, path, clock, isClean });
    const own = { handle, reference, loading: undefined, isOpen: true };
    const slot: Slot = { entry, path, answer, usedAt: clock.now(), ...own };
    slots.set(key, slot);
    sweeping.within(limits.sweepMs);
    return slot;
  }

  function drop(slot: Slot): void {
    slot.isOpen = false;
    slots.delete(referenceKey(slot.reference));
    slot.handle.close();
  }

  /** A lease that a caller still uses is not given up; a static secret is just read again. */
  function isNeeded(slot: Slot): boolean {
    if (slot.loading !== undefined) return true;
    return slot.entry.current?.lease !== undefined && store.holders(slot.entry.key).size > 0;
  }

  function makeRoom(among: readonly Slot[]): boolean {
    const oldest = among.filter((slot) => !isNeeded(slot)).sort((a, b) => a.usedAt - b.usedAt)[0];
    if (oldest !== undefined) drop(oldest);
    return oldest !== undefined;
  }

  /** What has grown, or is kept since: those that were used least lately go. */
  function lighten(): void {
    const all = [...slots.values()];
    while (all.reduce((sum, slot) => sum + (slot.isOpen ? weightOf(slot) : 0), 0) > limits.maxBytes)
      if (!makeRoom(all.filter(({ isOpen }) => isOpen))) return;
  }

  function sweep(): void {
    lighten();
    const now = clock.now();
    const upstream = vault.upstream()?.name;
    for (const slot of [...slots.values()]) {
      const isIdle = now - slot.usedAt > limits.idleMs && !isNeeded(slot);
      if (isIdle || slot.reference.upstream !== upstream) drop(slot);
    }
    for (const [key, until] of passUntil) if (until <= now) passUntil.delete(key);
    if (slots.size > 0) sweeping.within(limits.sweepMs);
  }

  function pass(key: string, forMs: number): Found {
    passUntil.set(key, clock.now() + forMs);
    return { kind: 'pass' };
  }

  async function load(slot: Slot, key: string): Promise<Found> {
    const { entry, reference } = slot;
    // An entry that joins a known secret has its value a microtask after it was opened.
    await Promise.resolve();
    let error: unknown;
    if (entry.current === undefined) {
      error = (await vault.refresh([entry.key], { signal: life.signal })).get(entry.key);
    }
    if (vault.canonicalKey(reference) !== key) {
      // A KV 2 mount, asked without `data/`: Vault has an answer of its own to that.
      drop(slot);
      return pass(key, limits.passMs);
    }
    const version = entry.current;
    if (version === undefined) {
      drop(slot);
      return failure(key, error);
    }
    if (!isKept(version)) {
      drop(slot);
      pass(key, limits.passMs);
    }
    lighten();
    return { kind: 'secret', secret: slot, version };
  }

  /** Refusals are upstream's to word. What may have made a credential is not sent again. */
  function failure(key: string, error: unknown): Found {
    const code = errorCode(error);
    const status = error instanceof UpstreamError ? error.status : undefined;
    if (refusals.has(code)) return pass(key, limits.refusedMs);
    if (code === 'upstream_sealed' || (status !== undefined && status < 500)) return { kind: 'pass' };
    return { kind: 'failed', error };
  }

  /** A slot without a value, or with one that upstream has taken back. */
  async function settle(slot: Slot, signal: AbortSignal): Promise<Found> {
    const { entry } = slot;
    if (entry.error !== undefined && refusals.has(entry.error.code)) return { kind: 'pass' };
    if (entry.error === undefined || (entry.next?.at ?? Number.POSITIVE_INFINITY) - clock.wall() < 5000) {
      await untilValue(entry, signal);
    }
    if (entry.current !== undefined) return { kind: 'secret', secret: slot, version: entry.current };
    const { error } = entry;
    return {
      kind: 'failed',
      error: error === undefined ? undefined : new UpstreamError(error.code, error.message),
    };
  }

  function untilValue(entry: Entry, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.setTimer(limits.patienceMs, resolve);
    const look = (other: Entry): void => {
      if (other.key === entry.key && (entry.current !== undefined || entry.error !== undefined)) resolve();
    };
    const stop = store.listen({ changed: look, updated: look, closed: look });
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted || entry.current !== undefined) resolve();
    return promise.finally(() => {
      timer.cancel();
      stop();
    });
  }

  /** All entries of the upstream, whoever opened them: files and names follow a write through here as well. */
  function entriesWhere(isMeant: (entry: Entry) => boolean): Entry[] {
    const upstream = vault.upstream()?.name;
    return [...store.entries()].filter((entry) => entry.reference.upstream === upstream && isMeant(entry));
  }

  async function refresh(entries: readonly Entry[], signal: AbortSignal, replace: boolean): Promise<void> {
    if (entries.length === 0) return;
    const keys = entries.map(({ key }) => key);
    await vault.refresh(keys, { signal, replace }).catch(() => undefined); // only the waiting was given up
  }

  async function replaceRevoked(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    const leaseIds = entries.flatMap(({ current }) => current?.lease?.id ?? []);
    if (leaseIds.length === 0) return;
    vault.leasesRevoked(leaseIds);
    await refresh(entries, signal, true);
  }

  return {
    find(target) {
      const slot = slotOf.get(target);
      if (slot === undefined || !slot.isOpen || slot.loading !== undefined) return undefined;
      // A reload may have named another one.
      if (slot.reference.upstream !== vault.upstream()?.name) return undefined;
      if (!isServable(slot.entry)) return undefined;
      slot.usedAt = clock.now();
      return slot;
    },
    async obtain(target, signal) {
      const reference = referenceOf(target);
      if (reference === undefined || life.signal.aborted) return { kind: 'pass' };
      const key = referenceKey(reference);
      if ((passUntil.get(key) ?? 0) > clock.now()) return { kind: 'pass' };
      if (vault.canonicalKey(reference) !== key) return { kind: 'pass' };
      let slot = slots.get(key);
      if (slot === undefined) {
        slot = open(reference, key);
        if (slot === undefined) return { kind: 'pass' };
        const opened = slot;
        opened.loading = load(opened, key).finally(() => {
          opened.loading = undefined;
        });
      }
      slot.usedAt = clock.now();
      slotOf.set(target, slot);
      if (slot.loading !== undefined) return await unlessGone(slot.loading, signal);
      const { current } = slot.entry;
      if (current !== undefined && isServable(slot.entry))
        return { kind: 'secret', secret: slot, version: current };
      return await settle(slot, signal);
    },
    async written(paths, signal) {
      passUntil.clear();
      const upstream = vault.upstream()?.name;
      if (upstream === undefined) return;
      const meant = new Set(paths.map((path) => vault.canonicalKey(createReference({ upstream, path }))));
      const entries = entriesWhere(
        ({ reference, current }) =>
          reference.operation === 'read' &&
          current?.lease === undefined &&
          meant.has(vault.canonicalKey({ ...reference, parameters: {} })),
      );
      await refresh(entries, signal, false);
    },
    revoked: (isGone, signal) =>
      replaceRevoked(
        entriesWhere(({ current }) => current?.lease !== undefined && isGone(current.lease.id)),
        signal,
      ),
    checkLeases: (signal) =>
      refresh(
        entriesWhere(({ current }) => current?.lease !== undefined),
        signal,
        false,
      ),
    entryOfLease: (leaseId) => entriesWhere(({ current }) => current?.lease?.id === leaseId)[0],
    async clear(isMeant, signal) {
      passUntil.clear();
      const meant = [...slots.values()].filter(({ path, entry }) => isMeant(path, entry.current?.lease?.id));
      await refresh(
        meant.map(({ entry }) => entry),
        signal,
        true,
      );
    },
    get size() {
      return slots.size;
    },
    close() {
      life.abort();
      sweeping.cancel();
      for (const slot of [...slots.values()]) drop(slot);
    },
  };
}

/** The body, the one that is prepared of it, and that with the headers. */
const copies = 3;

function weightOf({ entry }: Slot): number {
  return entry.current === undefined ? 0 : contentBytes(entry.current) * copies;
}

/** Stale for want of an answer is handed out; a value that upstream refuses to give again is not. */
function isServable(entry: Entry): boolean {
  if (entry.current === undefined) return false;
  return entry.error === undefined || !refusals.has(entry.error.code);
}

/** A lease, a credential with an end or a plan, or KV. All else that can be read is the server's own business. */
function isKept(version: SecretVersion): boolean {
  if (version.lease !== undefined || version.kind !== 'static' || isVersioned(version)) return true;
  // KV 1 alone tells a duration for what has no lease.
  const { lease_id: id, lease_duration: duration } = parseBody(version);
  return (id === undefined || id === '') && duration instanceof JsonNumber && Number(duration.text) > 0;
}

function isVersioned({ content }: SecretVersion): boolean {
  return content.form === 'vault' && content.shape === 'kv2';
}

/** Nobody is told of a failure who has gone. */
function unlessGone(loading: Promise<Found>, signal: AbortSignal): Promise<Found> {
  return orAborted(loading, signal).catch((error: unknown) => {
    if (signal.aborted) return { kind: 'failed', error: undefined };
    throw error;
  });
}
