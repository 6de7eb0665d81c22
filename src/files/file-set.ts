// What the pipeline knows of each file, and of the files that commit together: a `set`, or one file alone.
import { existsSync } from 'node:fs';
import type { Drift } from '../base/drift-policy.ts';
import { describeError, type ErrorCode, errorCode } from '../base/errors.ts';
import type { FileDifference, FilePrint } from '../base/paths/file-print.ts';
import type { Clock, Timer } from '../base/time/clock.ts';
import type { FileConfig } from '../config/resolved.ts';
import type { Execution, TemplateConsumer } from '../content/template-consumer.ts';
import type { Commit } from './disk/commit.ts';
import type { FifoServer } from './disk/fifo-server.ts';
import { type Notification, notificationsOf } from './transaction/notification.ts';
import type { Step } from './transaction/transaction-policy.ts';

export interface PlacedPrint extends FilePrint {
  /** Where links of the destination led to when it was written; absent: nobody has looked. */
  readonly realPath?: string;
}

export interface ManagedFile {
  config: FileConfig;
  /** The place in the config, which is the order of notifications. */
  order: number;
  /** Undefined as long as the template cannot be read or parsed. */
  consumer: TemplateConsumer | undefined;
  /** What the template was parsed from. */
  templateText: Buffer | undefined;
  /** Wall time since when it asks for what it asks for: values from before were no news to it. */
  wantedSince: number;
  /** Its output may differ from what is committed. */
  isDirty: boolean;
  /** Committed, but not yet known to be in use: its versions are held apart. */
  unsettled: Execution | undefined;
  fifo: FifoServer | undefined;
  /** Wall time of the last commit by this agent. */
  committedAt: number | undefined;
  /** Versions in the destination, by entry key. */
  versions: ReadonlyMap<string, number>;
  /** How what it has put in place is, by destination: a file that is another one was changed by somebody else. */
  prints: Map<string, PlacedPrint | undefined>;
  /** Why it is rendered again although no secret has changed. */
  suspicion: FileDifference | undefined;
  /** What somebody else did to it last. */
  drift: Drift | undefined;
  /** A later text of its template that could not be parsed: the one before goes on. */
  templateProblem: string | undefined;
}

export interface SetFailure {
  readonly step: Step;
  readonly code: ErrorCode;
  readonly message: string;
  /** Wall time of the first failure in a row, and how many there were. */
  readonly since: number;
  readonly count: number;
}

export interface FileSet {
  /** The set's name, or the destination of a file alone. */
  readonly key: string;
  readonly name: string | undefined;
  readonly files: ManagedFile[];
  step: Step;
  /** Wall time at which `step` began. */
  since: number;
  /** The last steps with their wall times, oldest first. */
  readonly trace: { readonly step: Step; readonly at: number }[];
  failure: SetFailure | undefined;
  /** Failures in a row, for the backoff. */
  attempts: number;
  /** Wall time of the next try. */
  retryAt: number | undefined;
  retry: Timer | undefined;
  isRunning: boolean;
  /** Notifications that still must be sent. */
  readonly owed: Map<string, Notification>;
  owesSettle: boolean;
  /** What is owed from before goes out before anything is rendered, which may fail, or have to wait for secrets. */
  notifiesFirst: boolean;
  /** Journals that stay until nothing is owed. */
  readonly journals: Set<string>;
  /** Commits whose rollback failed: the next start would go on with it, so they are finished once others took their place. */
  readonly failedRollbacks: Set<Commit>;
}

const longestTrace = 24;

export function createManagedFile(config: FileConfig, order: number, clock: Clock): ManagedFile {
  return {
    config,
    order,
    consumer: undefined,
    templateText: undefined,
    wantedSince: clock.wall(),
    isDirty: true,
    unsettled: undefined,
    fifo: undefined,
    committedAt: undefined,
    versions: new Map(),
    prints: new Map(),
    suspicion: undefined,
    drift: undefined,
    templateProblem: undefined,
  };
}

export function createFileSet(key: string, name: string | undefined, clock: Clock): FileSet {
  return {
    key,
    name,
    files: [],
    step: 'waiting',
    since: clock.wall(),
    trace: [],
    failure: undefined,
    attempts: 0,
    retryAt: undefined,
    retry: undefined,
    isRunning: false,
    owed: new Map(),
    owesSettle: false,
    notifiesFirst: false,
    journals: new Set(),
    failedRollbacks: new Set(),
  };
}

/** Equal keys commit together; the prefix keeps a set's name apart from a path. */
export function setKey(config: FileConfig): string {
  return config.set === undefined ? config.destination : `set ${config.set}`;
}

export function enterStep(set: FileSet, step: Step, clock: Clock): void {
  if (set.step === step && set.trace.length > 0) return;
  set.step = step;
  set.since = clock.wall();
  set.trace.push({ step, at: set.since });
  if (set.trace.length > longestTrace) set.trace.shift();
}

/** Returns whether this is news: the first failure in a row, or another one than the last. */
export function noteFailure(set: FileSet, step: Step, error: unknown, clock: Clock): boolean {
  const before = set.failure;
  const code = errorCode(error);
  const message = describeError(error);
  const isSame = before?.step === step && before.code === code;
  set.failure = {
    step,
    code,
    message,
    since: isSame ? before.since : clock.wall(),
    count: isSame ? before.count + 1 : 1,
  };
  return !isSame || before.message !== message;
}

/** Every notification of the set in declared order, identical ones once. */
export function setNotifications(set: FileSet): Map<string, Notification> {
  const all = new Map<string, Notification>();
  for (const file of inOrder(set.files)) {
    for (const notification of notificationsOf(file.config)) {
      if (!all.has(notification.key)) all.set(notification.key, notification);
    }
  }
  return all;
}

export function signalsProcess(set: FileSet, process: string): boolean {
  return set.files.some(({ config }) =>
    config.notify.some((one) => one.kind === 'signal' && 'process' in one && one.process === process),
  );
}

const stepsInPlace: ReadonlySet<Step> = new Set(['settle', 'retire', 'current', 'owed']);

/**
 * Whether a program that reads the files may start: they are committed and all notifications sent (one might be the end of
 * a program that has just begun) or, where nothing better comes soon (upstream is away, a check fails), there from before.
 */
export function isInPlace({ step, files }: FileSet): boolean {
  if (stepsInPlace.has(step)) return true;
  const isPending = files.some(
    ({ consumer }) => consumer === undefined || consumer.isMissing(({ reason }) => reason === 'pending'),
  );
  if (step !== 'failing' && (step !== 'waiting' || isPending)) return false;
  return files.every(({ config }) => existsSync(config.destination));
}

export function inOrder(files: Iterable<ManagedFile>): ManagedFile[] {
  return [...files].sort((a, b) => a.order - b.order);
}
