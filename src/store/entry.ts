// What the agent knows of one reference: its versions, its state, its plan and its last error. The store changes it.
import type { ErrorCode } from '../base/errors.ts';
import type { Reference } from './reference.ts';
import type { SecretVersion } from './secret-version.ts';

/**
 * `pending`: never had a value; `fresh`; while the last value is handed out `stale`: upstream fails, `removed`, `denied`: it
 * says that there is no such secret any more, or that this agent may not have it; `expired`: not handed out any more.
 */
export type EntryState = (typeof entryStates)[number];

export const entryStates = ['pending', 'fresh', 'stale', 'removed', 'denied', 'expired'] as const;

/** What its openers want; where several open one reference the strictest wish counts (see `mergePolicies`). */
export interface EntryPolicy {
  /** How often a static secret is asked for, in milliseconds. */
  readonly refreshMs: number;
  /**
   * The same where somebody has said it: so often a lease is renewed, which tells whether it lives, and what a write made is
   * made again where nothing tells its end. Absent: a lease as its life has it, and what a write made never.
   */
  readonly statedRefreshMs?: number;
  /** How long the last value is handed out when upstream fails; absent: static 24 h, leased until the lease ends. */
  readonly maxStaleMs?: number;
  /** What happens then: no longer handed out, or kept for ever. */
  readonly onStale: 'expire' | 'keep';
  /** Upstream says after a success that it is no longer there: kept until `maxStaleMs`, or not handed out from then on. */
  readonly onRemoved: 'keep' | 'fail';
  /** The same where upstream denies it. */
  readonly onDenied: 'keep' | 'fail';
  /** How long a superseded lease lives after its last consumer has moved. */
  readonly overlapMs: number;
  /** When the agent ends: `keep` leaves what was issued alive for the next start to go on with. */
  readonly onExit: 'revoke' | 'keep';
}

export const defaultEntryPolicy: EntryPolicy = {
  refreshMs: 30_000,
  onStale: 'expire',
  onRemoved: 'keep',
  onDenied: 'keep',
  overlapMs: 30_000,
  onExit: 'keep',
};

export interface PlannedAction {
  readonly action: 'read' | 'renew' | 'replace' | 'poll' | 'retry' | 'expire';
  /** Wall time in milliseconds. */
  readonly at: number;
  /** One clause for people: `lease is at two thirds of its life`. */
  readonly why: string;
}

export interface EntryError {
  readonly code: ErrorCode;
  readonly message: string;
  /** Wall time in milliseconds of the first failure in a row, and how many there were. */
  readonly since: number;
  readonly count: number;
}

export interface Entry {
  readonly key: string;
  readonly reference: Reference;
  readonly policy: EntryPolicy;
  readonly state: EntryState;
  /** The value to hand out; undefined while `pending` or `expired`. */
  readonly current: SecretVersion | undefined;
  /** Wall time at which `current` ends, moved by renewals. */
  readonly expiresAt: number | undefined;
  /** Wall time at which upstream was asked and last said that `current` is what it has. */
  readonly confirmedAt: number | undefined;
  readonly next: PlannedAction | undefined;
  readonly error: EntryError | undefined;
  /** Upstream's last word is that there is no such secret; an outage does not take it back. `current` may be here all the same. */
  readonly isRemoved: boolean;
}

/** Whether what is handed out is the last value, which upstream has not confirmed since. */
export function isLastValue(state: EntryState): boolean {
  return state === 'stale' || state === 'removed' || state === 'denied';
}

/** The strictest of two wishes: the shorter refresh and staleness, the longer overlap; fail and revoke win over keep. */
export function mergePolicies(a: EntryPolicy, b: EntryPolicy): EntryPolicy {
  const stale = [a.maxStaleMs, b.maxStaleMs].filter((ms) => ms !== undefined);
  const stated = [a.statedRefreshMs, b.statedRefreshMs].filter((ms) => ms !== undefined);
  return {
    refreshMs: Math.min(a.refreshMs, b.refreshMs),
    ...(stated.length > 0 ? { statedRefreshMs: Math.min(...stated) } : {}),
    ...(stale.length > 0 ? { maxStaleMs: Math.min(...stale) } : {}),
    onStale: a.onStale === 'expire' || b.onStale === 'expire' ? 'expire' : 'keep',
    onRemoved: a.onRemoved === 'fail' || b.onRemoved === 'fail' ? 'fail' : 'keep',
    onDenied: a.onDenied === 'fail' || b.onDenied === 'fail' ? 'fail' : 'keep',
    overlapMs: Math.max(a.overlapMs, b.overlapMs),
    onExit: a.onExit === 'revoke' || b.onExit === 'revoke' ? 'revoke' : 'keep',
  };
}
