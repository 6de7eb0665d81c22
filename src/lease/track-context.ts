// What the parts of one track share: its record, and the view of it that the policies get.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { defaultEntryPolicy, type EntryPolicy, mergePolicies } from '../store/entry.ts';
import type { Reference } from '../store/reference.ts';
import type { SecretAnswer } from '../store/secret-version.ts';
import type { Store } from '../store/store.ts';
import type { HandOver, IssuedValue } from './hand-over.ts';
import type { LeaseBook } from './lease-book.ts';
import type { MintFloor } from './mint-floor.ts';
import type { ScheduleLimits } from './schedule-policy.ts';
import { type FailureView, isMinted, type SecretView } from './secret-view.ts';
import type { SourceTable } from './source-table.ts';
import { type TrackedValue, valueView } from './tracked-value.ts';

/** What all tracks share. */
export interface TrackParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: ScheduleLimits;
  readonly logger: Logger;
  readonly sources: SourceTable;
  readonly book: LeaseBook;
  readonly floor: MintFloor;
  /** Absent: nothing is handed from run to run. */
  readonly handOver: HandOver | undefined;
  /** What the config calls an entry. */
  readonly namesOf: (entryKey: string) => readonly string[];
  /** Ends with the engine. */
  readonly signal: AbortSignal;
}

/** The record of one secret. Times are monotonic milliseconds. */
export interface TrackContext extends TrackParts {
  readonly reference: Reference;
  /** Keys of the entries that mean this secret. */
  readonly members: Set<string>;
  /** Aborted when the engine closes: for requests that lose nothing by it. */
  readonly repeatable: AbortController;
  canonicalKey: string;
  /** Stays after it has expired. */
  value: TrackedValue | undefined;
  isExpired: boolean;
  failure: FailureView | undefined;
  lastError: unknown;
  /** Whether the log was told of the failure, and so is of its end. */
  isFailureTold: boolean;
  askedAt: number | undefined;
  isStopped: boolean;
}

export function createTrackContext(
  reference: Reference,
  canonicalKey: string,
  parts: TrackParts,
): TrackContext {
  return {
    ...parts,
    reference,
    canonicalKey,
    members: new Set(),
    repeatable: new AbortController(),
    value: undefined,
    isExpired: false,
    failure: undefined,
    lastError: undefined,
    isFailureTold: false,
    askedAt: undefined,
    isStopped: false,
  };
}

/** The strictest wish of all entries; undefined where there is none left. */
export function policyOf({ store, members }: TrackContext): EntryPolicy | undefined {
  const policies = [...members].flatMap((key) => store.find(key)?.policy ?? []);
  return policies.length > 0 ? policies.reduce(mergePolicies) : undefined;
}

export function viewOf(context: TrackContext): SecretView {
  return {
    policy: policyOf(context) ?? defaultEntryPolicy,
    value: context.value && valueView(context.value),
    isExpired: context.isExpired,
    failure: context.failure,
    askedAt: context.askedAt,
    mintAllowedAt: context.floor.allowedAt(context.canonicalKey),
  };
}

/** What log lines call the secret: by the config's name where it has one, and by the key that status shows. */
export function logFields({ members, namesOf, canonicalKey }: TrackContext) {
  const [key = canonicalKey] = members;
  const names = [...members].flatMap(namesOf);
  return { secret: names.length > 0 ? names.join(', ') : key, key };
}

export function toWall(clock: Clock, at: number): number {
  return clock.wall() + (at - clock.now());
}

/** Wall time at which people and programs see the value end; undefined: it does not. */
export function shownEnd({ clock, value }: TrackContext): number | undefined {
  if (value === undefined) return undefined;
  const { endsAt, changesAt, kind } = valueView(value);
  const at = endsAt ?? (kind === 'rotating' ? changesAt : undefined);
  return at === undefined ? undefined : toWall(clock, at);
}

/** Gives an entry the value that the others have; returns whether that is news to it. */
export function publishTo(context: TrackContext, entryKey: string, answer: SecretAnswer): boolean {
  if (context.value?.lease !== undefined) context.book.use(context.value.lease, entryKey);
  return context.store.publish(entryKey, answer, shownEnd(context));
}

/** What the next run may go on with: what was issued and lives, for each entry. */
export function issuedValues(context: TrackContext): IssuedValue[] {
  const { value, isExpired, members, reference, clock, book } = context;
  if (value === undefined || isExpired || !isMinted(value.kind)) return [];
  const { answer, lease, lifeMs } = value;
  if (lease !== undefined && !book.has(lease)) return [];
  if (policyOf(context)?.onExit !== 'keep') return [];
  const obtainedAt = toWall(clock, value.confirmedAt);
  const ownEnd = value.ownEnd === undefined ? undefined : toWall(clock, value.ownEnd);
  const { upstream } = reference;
  return [...members].map((key) => ({ upstream, key, answer, obtainedAt, ownEnd, lifeMs }));
}
