// One set's way through stage, check and commit. Fails for itself alone; what it leaves behind on failure is the old
// files and nothing else.

import { LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { printOfWritten, type WrittenPrint } from '../../base/paths/file-print.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import type { RunCommand } from '../../base/run-command.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Execution, type TemplateConsumer, valuesOf } from '../../content/template-consumer.ts';
import type { Accounts } from '../disk/accounts.ts';
import { type Commit, type CommitTools, commitFiles } from '../disk/commit.ts';
import { findDestination } from '../disk/destination.ts';
import { createFifoServer, type FifoServer, type FifoValue } from '../disk/fifo-server.ts';
import { discardStaged, isStaged, type Output, type StagedFile, stageOutput } from '../disk/stage.ts';
import { createStandardStream } from '../disk/standard-stream.ts';
import { noteDrift } from '../drift/note-drift.ts';
import {
  enterStep,
  type FileSet,
  inOrder,
  type ManagedFile,
  type PlacedPrint,
  setNotifications,
} from '../file-set.ts';
import { outputsOf } from '../outputs-of.ts';
import { runChecked } from './checked-command.ts';
import type { Limit } from './limit.ts';
import type { FileObserver, NoteWritten, SignalProcess } from './ports.ts';
import { SetStep } from './stepped-set.ts';
import { nextStep, type Step, type StepResult } from './transaction-policy.ts';

export interface TransactionTools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly accounts: Accounts;
  readonly runCommand: RunCommand;
  readonly signalProcess: SignalProcess;
  readonly commit: CommitTools;
  /** How many sets may use the disk at a time. */
  readonly diskLimit: Limit;
  /** One notification of a kind at a time, across transactions. */
  readonly notifyLimit: (key: string) => Limit;
  readonly observer: FileObserver;
  readonly noteWritten: NoteWritten | undefined;
  /** Aborted when the pipeline closes. */
  readonly signal: AbortSignal;
  /** Reads and parses the template of a file that has none yet; throws `template_invalid`. */
  readonly load: (file: ManagedFile) => Promise<TemplateConsumer>;
  /** A set has come to another step. */
  readonly onStep: () => void;
}

export interface SetRun {
  readonly set: FileSet;
  step: Step;
  readonly executions: Map<ManagedFile, Execution>;
  readonly staged: Map<ManagedFile, StagedFile[]>;
  /** How the files are that have their bytes already, and those that were committed. */
  readonly prints: Map<ManagedFile, Map<string, PlacedPrint | undefined>>;
  readonly fifos: Map<ManagedFile, { readonly next: FifoValue; readonly previous: FifoValue | undefined }>;
  /** To be called when the files have the bytes that were staged. */
  readonly written: (() => void)[];
  commit: Commit | undefined;
  /** When the newest secret of each file that was committed was obtained, in wall time. */
  readonly obtainedAt: Map<ManagedFile, number>;
  failure: { readonly step: Step; readonly error: unknown } | undefined;
  wasRolledBack: boolean;
  /** Sends what is owed from before, although files are to be rendered: that comes next. */
  readonly isNotifyOnly: boolean;
}

export function createRun(set: FileSet, tools: TransactionTools): SetRun {
  let step: Step = 'retire';
  if (set.notifiesFirst) step = 'notify';
  else if (set.files.some((file) => file.isDirty)) step = 'stage';
  else if (set.owed.size > 0) step = 'notify';
  else if (set.owesSettle) step = 'settle';
  const isNotifyOnly = set.notifiesFirst;
  set.notifiesFirst = false;
  enterStep(set, step, tools.clock);
  return { ...createRehearsal(set), step, isNotifyOnly };
}

/** A run that is not noted on the set: for drills. */
export function createRehearsal(set: FileSet): SetRun {
  return {
    set,
    step: 'stage',
    executions: new Map(),
    staged: new Map(),
    prints: new Map(),
    fifos: new Map(),
    written: [],
    commit: undefined,
    obtainedAt: new Map(),
    failure: undefined,
    wasRolledBack: false,
    isNotifyOnly: false,
  };
}

/** Stage, check, commit, as far as it goes. */
export async function prepareSet(run: SetRun, tools: TransactionTools): Promise<void> {
  if (run.step === 'stage') await attempt(run, tools, () => tools.diskLimit(() => stageSet(run, tools)));
  if (run.step === 'check')
    await attempt(run, tools, () => (isChecked(run.set) ? checkSet(run, tools) : 'ok'));
  if (run.step === 'commit') await attempt(run, tools, () => tools.diskLimit(() => commitSet(run, tools)));
  if (run.step === 'failing') await Promise.all([...run.staged.values()].flat().map(discardStaged));
}

/** Runs the step and moves on by its result; what it throws is the run's failure. */
export async function attempt(
  run: SetRun,
  tools: TransactionTools,
  work: () => StepResult | Promise<StepResult>,
): Promise<void> {
  const { step } = run;
  let result: StepResult = 'failed';
  try {
    tools.signal.throwIfAborted();
    const done = work();
    result = typeof done === 'string' ? done : await done;
  } catch (error) {
    run.failure = { step, error };
  }
  moveOn(run, result, tools);
}

export function moveOn(run: SetRun, result: StepResult, tools: TransactionTools): void {
  tools.observer.stepped?.(new SetStep(run, result));
  run.step = nextStep(run.step, result, {
    canRollBack: canRollBack(run) && !tools.signal.aborted,
    owesNotify: run.set.owed.size > 0,
  });
  enterStep(run.set, run.step, tools.clock);
  tools.onStep();
}

/** What the output of commands must not show: the values of everything that this set renders. */
export function masksOf(set: FileSet, executions: ReadonlyMap<ManagedFile, Execution>): SecretValue[] {
  const all = set.files.map((file) => executions.get(file) ?? file.unsettled);
  return valuesOf(new Set(all.flatMap((execution) => [...(execution?.versions.values() ?? [])])));
}

async function stageSet(run: SetRun, tools: TransactionTools): Promise<StepResult> {
  const dirty = inOrder(run.set.files).filter((file) => file.isDirty);
  for (const file of dirty) file.consumer ??= await tools.load(file);
  // One pass without waiting, so that all files of a set see the same versions.
  for (const file of dirty) execute(run, file, tools);
  if ([...run.executions.values()].some((execution) => execution.missing.length > 0)) return 'missing';
  const results = await Promise.allSettled(
    [...run.executions].map(([file, execution]) => stageFile(run, file, execution, tools)),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  if (run.staged.size > 0 || run.fifos.size > 0) return 'ok';
  takePrints(run);
  return 'same';
}

function execute(run: SetRun, file: ManagedFile, tools: TransactionTools): void {
  if (file.consumer === undefined) return;
  file.isDirty = false;
  try {
    const execution = file.consumer.execute();
    file.consumer.hold(execution, 'staged');
    run.executions.set(file, execution);
  } catch (error) {
    file.isDirty = true;
    throw error;
  } finally {
    tools.observer.executed?.(file.config.destination);
  }
}

async function stageFile(
  run: SetRun,
  file: ManagedFile,
  execution: Execution,
  tools: TransactionTools,
): Promise<void> {
  const outputs = await outputsOf(file.config, execution, tools.accounts);
  const staged: StagedFile[] = [];
  const prints = new Map<string, PlacedPrint | undefined>();
  let wasMended = false;
  // Noted before the first is written, so that a failure of the second discards it.
  run.staged.set(file, staged);
  for (const output of outputs) {
    const isFifo = file.config.fifo && output.destination === file.config.destination;
    if (isFifo && !(await stageFifo(run, file, output, tools))) continue;
    if (isFifo && file.config.check === undefined) continue;
    // Nobody but the agent is named as its owner: another one is rid of it by a file of the agent's own.
    const isTaken = file.suspicion === 'owner' && output.uid === undefined;
    const result = await stageOutput(output, {
      spareFolder: tools.commit.stateFolder,
      always: isFifo || isTaken,
    });
    if (isStaged(result)) staged.push(result);
    else {
      prints.set(result.destination, await placedPrint(result.destination, result.realPath, result.identity));
      wasMended ||= result.wasMended;
    }
    if (isFifo) continue;
    const place = { path: output.destination, owner: output.uid };
    const written = tools.noteWritten?.(place, output.bytes, execution.versions);
    if (written !== undefined) run.written.push(written);
    output.bytes.fill(0);
  }
  run.prints.set(file, prints);
  if (staged.length > 0) return;
  run.staged.delete(file);
  noteMended(file, wasMended, tools);
}

function noteMended(file: ManagedFile, wasMended: boolean, tools: TransactionTools): void {
  // The bytes were right, so it was no more than that.
  if (wasMended && file.suspicion !== undefined)
    noteDrift(file, file.suspicion === 'owner' ? 'owner' : 'mode', false, tools);
  else if (wasMended)
    tools.logger.info({ destination: file.config.destination }, 'owner or mode of the file mended');
  file.suspicion = undefined;
}

/** The files are as they were staged, or were so before. */
function takePrints(run: SetRun): void {
  for (const written of run.written) written();
  for (const [file, prints] of run.prints) file.prints = prints;
}

/** Whether the value differs from what readers of the FIFO get now. */
async function stageFifo(
  run: SetRun,
  file: ManagedFile,
  output: Output,
  tools: TransactionTools,
): Promise<boolean> {
  file.fifo ??= await openFifo(file, output, tools);
  const previous = file.fifo.current();
  const { bytes, mode, uid, gid } = output;
  const isSame =
    previous?.bytes.equals(bytes) === true &&
    previous.mode === mode &&
    previous.uid === uid &&
    previous.gid === gid;
  if (!isSame) run.fifos.set(file, { next: { bytes, mode, uid, gid }, previous });
  return !isSame;
}

async function openFifo(file: ManagedFile, output: Output, tools: TransactionTools): Promise<FifoServer> {
  const { clock, logger } = tools;
  const stream = standardStreamOf(output.destination);
  if (stream !== undefined) return createStandardStream(stream);
  const destination = await findDestination(output);
  const onRestored = (what: 'deleted' | 'content') => noteDrift(file, what, false, tools);
  return createFifoServer({ destination, clock, logger, onRestored });
}

function isChecked({ files }: FileSet): boolean {
  return files.some(({ config }) => config.check !== undefined);
}

/** All checks of the set: those of files that stay as they are see the destination. */
export async function checkSet(run: SetRun, tools: TransactionTools): Promise<StepResult> {
  const masks = masksOf(run.set, run.executions);
  const files = inOrder(run.set.files);
  const pairs: [string, string][] = files.map(({ config }, index) => [
    `staged:${config.destination}`,
    stagedPath(run, files[index]) ?? config.destination,
  ]);
  const done = new Set<string>();
  for (const file of files) {
    const { check, destination, place, fifo } = file.config;
    const staged = stagedPath(run, file);
    if (check === undefined || (fifo && staged === undefined)) continue;
    const placeholders = { ...Object.fromEntries(pairs), staged: staged ?? destination, destination };
    const key = JSON.stringify([check.command, placeholders.staged, destination]);
    if (done.has(key)) continue;
    done.add(key);
    await runChecked(tools.runCommand, {
      ...check,
      placeholders,
      place: keyAt(place, 'check'),
      code: 'check_failed',
      signal: tools.signal,
      masks,
    });
  }
  return 'ok';
}

async function commitSet(run: SetRun, tools: TransactionTools): Promise<StepResult> {
  const { set } = run;
  const notifications = setNotifications(set);
  const owesSettle = set.files.some((file) => file.config.settle !== undefined);
  const ready: StagedFile[] = [];
  for (const [file, staged] of run.staged) {
    for (const one of staged) {
      // What was staged of a FIFO was for its check alone.
      if (file.config.fifo && one.destination === file.config.destination) await discardStaged(one);
      else ready.push(one);
    }
  }
  if (ready.length > 0) {
    const canRestore = set.files.some((file) => file.config.onFailure === 'rollback');
    const notify = notifications.size > 0 || owesSettle ? ready.map(({ destination }) => destination) : [];
    run.commit = await commitFiles({ files: ready, canRestore, notify }, tools.commit);
    for (const [file, staged] of run.staged) {
      const prints = run.prints.get(file);
      for (const { destination, target, inPlace, identity } of staged) {
        prints?.set(destination, await placedPrint(destination, target.path, inPlace ? undefined : identity));
      }
    }
  }
  takePrints(run);
  await finishFailedRollbacks(set);
  for (const [file, { next }] of run.fifos) await file.fifo?.offer(next);
  set.owed.clear();
  for (const [key, notification] of notifications) set.owed.set(key, notification);
  set.owesSettle = owesSettle;
  for (const [file, execution] of run.executions) noteCommit(run, file, execution, tools);
  return 'ok';
}

async function placedPrint(
  destination: string,
  realPath: string,
  written: WrittenPrint | undefined,
): Promise<PlacedPrint | undefined> {
  const print = await printOfWritten(destination, written);
  return print && { ...print, realPath };
}

/** Their files are replaced, or found to be as they should: nothing of them is to be put back any more. */
export async function finishFailedRollbacks({ failedRollbacks }: FileSet): Promise<void> {
  for (const commit of failedRollbacks) {
    await commit.finish(true).then(
      () => failedRollbacks.delete(commit),
      () => undefined, // tried again with the next commit
    );
  }
}

function noteCommit(run: SetRun, file: ManagedFile, execution: Execution, tools: TransactionTools): void {
  file.consumer?.hold(execution, 'committed');
  file.unsettled = execution;
  const news = newestOf(execution, file.versions);
  file.versions = new Map([...execution.versions].map(([key, version]) => [key, version.number]));
  if (!run.staged.has(file) && !run.fifos.has(file)) return;
  // What is put right is no rotation: its secrets may be old.
  const isRepair = file.suspicion !== undefined;
  if (file.suspicion !== undefined) noteDrift(file, file.suspicion, false, tools);
  file.suspicion = undefined;
  const now = tools.clock.wall();
  file.committedAt = now;
  // A new file or template makes no rotation of what has long been there.
  const isRotation = news !== undefined && !isRepair && news >= file.wantedSince;
  if (isRotation) run.obtainedAt.set(file, news);
  tools.observer.committed?.(file.config.destination);
  tools.logger.info(
    {
      destination: file.config.destination,
      ...(run.set.name === undefined ? {} : { set: run.set.name }),
      latency_ms: isRotation ? Math.max(0, now - news) : undefined,
    },
    'file committed',
  );
}

/** When the newest of the values came that the file did not hold before. */
function newestOf({ versions }: Execution, before: ReadonlyMap<string, number>): number | undefined {
  const times = [...versions]
    .filter(([key, { number }]) => before.get(key) !== number)
    .map(([, { obtainedAt }]) => obtainedAt);
  return times.length === 0 ? undefined : Math.max(...times);
}

function canRollBack(run: SetRun): boolean {
  const { set, commit, fifos } = run;
  if (!set.files.some((file) => file.config.onFailure === 'rollback')) return false;
  if (commit === undefined && fifos.size === 0) return false;
  return commit?.hasPrevious !== false && [...fifos.values()].every(({ previous }) => previous !== undefined);
}

function stagedPath(run: SetRun, file: ManagedFile | undefined): string | undefined {
  if (file === undefined) return undefined;
  return run.staged.get(file)?.find(({ destination }) => destination === file.config.destination)?.path;
}

/** For callers that must tell a stop of the agent from a failure. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return (
    signal.aborted &&
    (error === signal.reason || (error instanceof LatchkeyError && error.code === 'aborted'))
  );
}
