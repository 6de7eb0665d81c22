// The entries in memory: who wants which reference, which version each consumer holds, and who is told of a change.
// It fetches nothing and decides nothing about time: the lease engine does, and reports what it got here.
import { isDeepStrictEqual } from 'node:util';
import { describeError, type ErrorCode, errorCode } from '../base/errors.ts';
import type { Clock } from '../base/time/clock.ts';
import {
  type Entry,
  type EntryError,
  type EntryPolicy,
  type EntryState,
  mergePolicies,
  type PlannedAction,
} from './entry.ts';
import { type Reference, referenceKey } from './reference.ts';
import type { SecretAnswer, SecretVersion } from './secret-version.ts';

export interface StoreListener {
  /** The first opener came; called synchronously from `open`. */
  opened?(entry: Entry): void;
  /** The last opener went; the entry is no longer in the store. `versions` are all that were not unheld before. */
  closed?(entry: Entry, versions: readonly SecretVersion[]): void;
  /** Other data than before (the first data too). */
  changed?(entry: Entry, version: SecretVersion): void;
  /** The state, the error or the expiry differs; not called for what `changed` tells, nor for a plan. */
  updated?(entry: Entry): void;
  /** Openers came or went and the merged policy is another one. */
  policyChanged?(entry: Entry): void;
  /** A consumer uses another version than before, or its first. */
  held?(entry: Entry, consumer: string, version: SecretVersion): void;
  /** A superseded version that no consumer holds any more; each version is told once. `last` is who let go of it, if anybody had it. */
  unheld?(entry: Entry, version: SecretVersion, last?: string): void;
}

export interface EntryHandle {
  readonly key: string;
  readonly entry: Entry;
  /** Gives the wish up; the last one to do so removes the entry. Calling it twice does nothing. */
  close(): void;
}

export interface Store {
  open(reference: Reference, policy: EntryPolicy): EntryHandle;
  find(key: string): Entry | undefined;
  entries(): IterableIterator<Entry>;
  listen(listener: StoreListener): () => void;

  /**
   * Records an answer: a new version when its data differ (or its lease does), else only a fresh state.
   * Times are wall time; `confirmedAt` is when it was asked for, default now. Returns whether the data changed.
   */
  publish(key: string, answer: SecretAnswer, expiresAt: number | undefined, confirmedAt?: number): boolean;
  /** A renewal moved the end of the current version, or upstream said that it is still the one. */
  extend(key: string, expiresAt: number | undefined | 'same', confirmedAt?: number): void;
  /** Records a failed try; `state` says what is left of the value. */
  fail(key: string, error: unknown, state: EntryState): void;
  plan(key: string, next: PlannedAction | undefined): void;

  /** `consumer` now uses version `number` of the entry, and no earlier one of it. */
  hold(consumer: string, key: string, number: number): void;
  /** `consumer` uses nothing of the entry (of any entry without `key`) any more. */
  release(consumer: string, key?: string): void;
  /** Who holds which version of the entry. */
  holders(key: string): ReadonlyMap<string, SecretVersion>;
}

interface Cell {
  key: string;
  reference: Reference;
  policy: EntryPolicy;
  state: EntryState;
  current: SecretVersion | undefined;
  expiresAt: number | undefined;
  confirmedAt: number | undefined;
  next: PlannedAction | undefined;
  error: EntryError | undefined;
  isRemoved: boolean;
  lastNumber: number;
  wishes: Map<symbol, EntryPolicy>;
  held: Map<string, SecretVersion>;
  superseded: Map<number, SecretVersion>;
}

/** Synchronous and single-threaded: every method has taken effect when it returns. Listeners must not throw. */
export function createStore(options: { clock: Clock }): Store {
  const { clock } = options;
  const cells = new Map<string, Cell>();
  /** Another array where one comes or goes, so that who is told meanwhile is not another one. */
  let listeners: readonly StoreListener[] = [];

  function tell(call: (listener: StoreListener) => void): void {
    listeners.forEach(call);
  }

  /** A poll that finds all as it was is no news: a thousand of them must not wake anybody. */
  function freshen(cell: Cell, expiresAt: number | undefined): void {
    const wasSo =
      cell.state === 'fresh' && cell.error === undefined && !cell.isRemoved && cell.expiresAt === expiresAt;
    if (wasSo) return;
    Object.assign(cell, freshWith(expiresAt));
    tell((listener) => listener.updated?.(cell));
  }

  function retireUnheld(cell: Cell, last?: string): void {
    if (cell.superseded.size === 0) return;
    const inUse = new Set([...cell.held.values()].map((version) => version.number));
    for (const [number, version] of cell.superseded) {
      if (inUse.has(number)) continue;
      cell.superseded.delete(number);
      tell((listener) => listener.unheld?.(cell, version, last));
    }
  }

  function setPolicy(cell: Cell, policy: EntryPolicy): void {
    if (isDeepStrictEqual(cell.policy, policy)) return;
    cell.policy = policy;
    tell((listener) => listener.policyChanged?.(cell));
  }

  function removeWish(cell: Cell, wish: symbol): void {
    if (!cell.wishes.delete(wish)) return;
    const rest = [...cell.wishes.values()];
    if (rest.length > 0) {
      setPolicy(cell, rest.reduce(mergePolicies));
      return;
    }
    cells.delete(cell.key);
    const versions = [...cell.superseded.values(), ...(cell.current ? [cell.current] : [])];
    tell((listener) => listener.closed?.(cell, versions));
  }

  return {
    open(reference, policy) {
      const key = referenceKey(reference);
      const wish = Symbol(key);
      let cell = cells.get(key);
      const isNew = cell === undefined;
      cell ??= createCell(key, reference, policy);
      cell.wishes.set(wish, policy);
      if (!isNew) setPolicy(cell, mergePolicies(cell.policy, policy));
      const opened = cell;
      if (isNew) {
        cells.set(key, opened);
        tell((listener) => listener.opened?.(opened));
      }
      return { key, entry: opened, close: () => removeWish(opened, wish) };
    },
    find: (key) => cells.get(key),
    entries: () => cells.values(),
    listen(listener) {
      listeners = [...listeners, listener];
      return () => {
        listeners = listeners.filter((one) => one !== listener);
      };
    },
    publish(key, answer, expiresAt, confirmedAt = clock.wall()) {
      const cell = cells.get(key);
      if (cell === undefined) return false;
      cell.confirmedAt = confirmedAt;
      const before = cell.current;
      const isSame =
        before !== undefined &&
        before.dataDigest === answer.dataDigest &&
        before.lease?.id === answer.lease?.id;
      if (isSame) {
        cell.current = confirm(before, answer);
        freshen(cell, expiresAt);
        return false;
      }
      Object.assign(cell, freshWith(expiresAt));
      cell.lastNumber += 1;
      const version: SecretVersion = {
        ...answer,
        number: cell.lastNumber,
        obtainedAt: clock.wall(),
        expiresAt,
      };
      cell.current = version;
      if (before !== undefined) cell.superseded.set(before.number, before);
      tell((listener) => listener.changed?.(cell, version));
      retireUnheld(cell);
      return true;
    },
    extend(key, expiresAt, confirmedAt) {
      const cell = cells.get(key);
      if (cell === undefined) return;
      cell.confirmedAt = confirmedAt ?? cell.confirmedAt;
      freshen(cell, expiresAt === 'same' ? cell.expiresAt : expiresAt);
    },
    fail(key, error, state) {
      const cell = cells.get(key);
      if (cell === undefined) return;
      cell.error = nextError(cell.error, errorCode(error), error, clock.wall());
      cell.state = state;
      if (cell.error.code === 'not_found' || cell.error.code === 'mount_not_found') cell.isRemoved = true;
      if (state === 'expired' && cell.current !== undefined) {
        cell.superseded.set(cell.current.number, cell.current);
        cell.current = undefined;
      }
      tell((listener) => listener.updated?.(cell));
      retireUnheld(cell);
    },
    plan(key, next) {
      const cell = cells.get(key);
      if (cell !== undefined) cell.next = next;
    },
    hold(consumer, key, number) {
      const cell = cells.get(key);
      const version = cell?.current?.number === number ? cell.current : cell?.superseded.get(number);
      if (cell === undefined || version === undefined) return;
      const before = cell.held.get(consumer);
      cell.held.set(consumer, version);
      if (before !== version) tell((listener) => listener.held?.(cell, consumer, version));
      retireUnheld(cell, consumer);
    },
    release(consumer, key) {
      for (const cell of key === undefined ? [...cells.values()] : [cells.get(key)]) {
        if (cell?.held.delete(consumer)) retireUnheld(cell, consumer);
      }
    },
    holders: (key) => cells.get(key)?.held ?? new Map(),
  };
}

function freshWith(expiresAt: number | undefined): Partial<Cell> {
  return { state: 'fresh', expiresAt, error: undefined, isRemoved: false };
}

/** The same data again; upstream may name it otherwise (a KV 2 write of equal data) and tell another `ttl`. */
function confirm(before: SecretVersion, answer: SecretAnswer): SecretVersion {
  if (before.versionId === answer.versionId && before.ttlSeconds === answer.ttlSeconds) return before;
  const { versionId: _id, ttlSeconds: _ttl, ...kept } = before;
  return {
    ...kept,
    ...(answer.versionId === undefined ? {} : { versionId: answer.versionId }),
    ...(answer.ttlSeconds === undefined ? {} : { ttlSeconds: answer.ttlSeconds }),
  };
}

function createCell(key: string, reference: Reference, policy: EntryPolicy): Cell {
  return {
    key,
    reference,
    policy,
    state: 'pending',
    current: undefined,
    expiresAt: undefined,
    confirmedAt: undefined,
    next: undefined,
    error: undefined,
    isRemoved: false,
    lastNumber: 0,
    wishes: new Map(),
    held: new Map(),
    superseded: new Map(),
  };
}

function nextError(
  before: EntryError | undefined,
  code: ErrorCode,
  error: unknown,
  wall: number,
): EntryError {
  const isSame = before?.code === code;
  return {
    code,
    message: describeError(error),
    since: isSame ? before.since : wall,
    count: isSame ? before.count + 1 : 1,
  };
}
