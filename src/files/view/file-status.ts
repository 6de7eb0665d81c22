// What operators see of a file: where it stands, what it waits for, since when and why. No value, only names and times.
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Drift } from '../../base/drift-policy.ts';
import { roughDuration } from '../../base/time/duration.ts';
import type { MissingDependency } from '../../content/template-consumer.ts';
import type { Store } from '../../store/store.ts';
import { driftWords } from '../drift/note-drift.ts';
import type { FileSet, ManagedFile, SetFailure } from '../file-set.ts';
import { setNotifications } from '../file-set.ts';
import { busySteps, type Step } from '../transaction/transaction-policy.ts';

// tmpfs and ramfs, by statfs(2).
const memoryFileSystems: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

export interface FileStatus {
  readonly destination: string;
  /** `files[2]` */
  readonly place: string;
  readonly set: string | undefined;
  readonly state: Step;
  /** Wall time at which the state began. */
  readonly since: number;
  /** In place and up to date, so far as secrets are known. */
  readonly isReady: boolean;
  readonly missing: readonly MissingDependency[];
  readonly failure: SetFailure | undefined;
  readonly retryAt: number | undefined;
  readonly committedAt: number | undefined;
  /** What the destination carries: version numbers of the store by entry key. */
  readonly versions: Readonly<Record<string, number>>;
  /** Notifications that still must be sent. */
  readonly owed: readonly string[];
  /** What somebody else did to it last; `isOpen`: it is still so. */
  readonly drift: Drift | undefined;
  /** A later text of the template that could not be parsed. */
  readonly templateProblem: string | undefined;
}

/** What may be wrong with a file, in place of all that is known of it. */
export type FileTrouble = Pick<
  FileStatus,
  'destination' | 'set' | 'state' | 'isReady' | 'missing' | 'failure' | 'drift' | 'templateProblem'
>;

export interface FileExplanation extends FileStatus {
  /** Sentences for people, the most important first. */
  readonly why: readonly string[];
  readonly notifications: readonly string[];
  /** The last steps of its transactions, oldest first. */
  readonly trace: readonly { readonly step: Step; readonly at: number }[];
  readonly secrets: readonly SecretUse[];
  /** Hints that are no fault: that the bytes reach a disk, for one. */
  readonly notes: readonly string[];
}

interface SecretUse {
  readonly key: string;
  readonly state: string;
  /** In the destination; undefined: not yet, or not by this run of the agent. */
  readonly usedVersion: number | undefined;
  readonly currentVersion: number | undefined;
  readonly expiresAt: number | undefined;
}

export function fileStatus(file: ManagedFile, set: FileSet): FileStatus {
  return {
    ...fileTrouble(file, set),
    place: file.config.place,
    since: set.since,
    retryAt: set.retryAt,
    committedAt: file.committedAt,
    versions: Object.fromEntries(file.versions),
    owed: [...set.owed.values()].map((notification) => notification.text),
  };
}

/** While a thousand files come to be it is asked again and again. */
export function fileTrouble(file: ManagedFile, set: FileSet): FileTrouble {
  return {
    destination: file.config.destination,
    set: set.name,
    state: set.step,
    isReady: isReady(file, set),
    missing: file.consumer?.missing() ?? [],
    failure: set.failure,
    drift: file.drift,
    templateProblem: file.templateProblem,
  };
}

/** In place, and nothing to be said about it: with a thousand files that is asked after each change, of each. */
export function isWell(file: ManagedFile, set: FileSet): boolean {
  const isLeftAlone = file.drift?.isOpen !== true && file.templateProblem === undefined;
  return isLeftAlone && isReady(file, set) && set.failure === undefined;
}

function isReady(file: ManagedFile, set: FileSet): boolean {
  // What others made of it is left so because the config says it: what comes after the agent goes on with it.
  if (file.drift?.isOpen === true && file.drift.what === 'deleted') return false;
  if (set.step === 'current' || set.step === 'owed') return true;
  if (!busySteps.has(set.step)) return false;
  // Readiness must not come and go with the tries of what has failed: it is as it was between them.
  if (set.failure !== undefined)
    return set.trace.findLast(({ step }) => !busySteps.has(step))?.step === 'owed';
  return file.committedAt !== undefined;
}

export function explainFile(file: ManagedFile, set: FileSet, store: Store, wall: number): FileExplanation {
  const status = fileStatus(file, set);
  return {
    ...status,
    why: reasons(file, set, status, wall),
    notifications: [...setNotifications(set).values()].map((notification) => notification.text),
    trace: [...set.trace],
    secrets: (file.consumer?.keys() ?? []).map((key) => {
      const entry = store.find(key);
      return {
        key,
        state: entry?.state ?? 'pending',
        usedVersion: file.versions.get(key),
        currentVersion: entry?.current?.number,
        expiresAt: entry?.expiresAt,
      };
    }),
    notes: notesOn(file),
  };
}

function notesOn(file: ManagedFile): string[] {
  const notes: string[] = [];
  const { destination, inPlace, fifo } = file.config;
  if (inPlace) notes.push('written in place: a reader may see a mixture of old and new bytes for a moment');
  if (!fifo && isOnDisk(destination) === true) {
    notes.push('its bytes reach a disk; a folder on tmpfs, such as below /run, keeps them in memory');
  }
  return notes;
}

/** Undefined when it cannot be told. */
function isOnDisk(path: string): boolean | undefined {
  try {
    return !memoryFileSystems.has(statfsSync(dirname(path)).type);
  } catch {
    return undefined;
  }
}

function reasons(file: ManagedFile, set: FileSet, status: FileStatus, wall: number): string[] {
  const { failure } = set;
  const why = [headline(file, set, wall)];
  if (file.drift !== undefined) why.push(driftSentence(file.drift, wall));
  for (const missing of status.missing) why.push(missingSentence(missing, wall));
  for (const other of set.files) {
    if (other === file || set.step !== 'waiting') continue;
    for (const missing of other.consumer?.missing() ?? []) {
      why.push(`${other.config.destination} of the same set: ${missingSentence(missing, wall)}`);
    }
  }
  if (failure !== undefined) {
    const times = failure.count === 1 ? '' : `, ${failure.count} times since ${ago(failure.since, wall)}`;
    why.push(`${failure.step} failed${times}: ${failure.message}`);
  }
  for (const text of status.owed) why.push(`still to be notified: ${text}`);
  if (set.retryAt !== undefined) {
    why.push(`tried again in ${roughDuration(Math.max(0, set.retryAt - wall))}, or when something changes`);
  }
  if (file.templateProblem !== undefined)
    why.push(`a later text of the template is not used: ${file.templateProblem}`);
  return why;
}

function headline(file: ManagedFile, set: FileSet, wall: number): string {
  const since = ago(set.since, wall);
  switch (set.step) {
    case 'current':
      return file.committedAt === undefined
        ? `current since ${since}: the file had the right bytes already`
        : `current: last written ${ago(file.committedAt, wall)}`;
    case 'waiting':
      return file.committedAt === undefined
        ? `waits for secrets since ${since}; the destination is as it was before`
        : `waits for secrets since ${since}; the file keeps its last content`;
    case 'failing':
      return `the last change was not taken over, ${since}; the old file stays`;
    case 'owed':
      return `the new file is in place since ${since}, but its program was not told or is not well`;
    default:
      return `a transaction is at the step ${set.step} since ${since}`;
  }
}

/** Why a value is not there. */
export const missingWords: Readonly<Record<MissingDependency['reason'], string>> = {
  pending: 'upstream has not answered yet',
  absent: 'upstream has no such secret',
  denied: 'upstream denies it',
  failed: 'upstream cannot be asked',
  unknown: 'the config does not know it',
};

function missingSentence(missing: MissingDependency, wall: number): string {
  const since = missing.since === undefined ? '' : ` since ${ago(missing.since, wall)}`;
  const message = missing.message === undefined ? '' : `: ${missing.message}`;
  return `${missing.name}: ${missingWords[missing.reason]}${since}${message}`;
}

function driftSentence({ what, at, count, isOpen }: Drift, wall: number): string {
  const times = count === 1 ? '' : `, ${count} times in a row`;
  const end = isOpen ? 'it is left so (on_drift: report)' : 'it was put right';
  return `somebody else ${driftWords[what]} ${ago(at, wall)}${times}: ${end}`;
}

function ago(at: number, wall: number): string {
  const ms = Math.max(0, wall - at);
  return `${roughDuration(ms)} ago`;
}
