// One group's way through stage, check and commit. Fails for itself alone; what it leaves behind on failure is the old
// files and nothing else.

import { LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { type FilePrint, printOfWritten } from '../../base/paths/file-print.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Execution, type TemplateConsumer, valuesOf } from '../../content/template-consumer.ts';
import type { Accounts } from '../disk/accounts.ts';
import { type Commit, type CommitTools, commitFiles } from '../disk/commit.ts';
import { findDestination } from '../disk/destination.ts';
import { createFifoServer, type FifoServer, type FifoValue } from '../disk/fifo-server.ts';
import { discardStaged, isStaged, type Output, type StagedFile, stageOutput } from '../disk/stage.ts';
import { createStandardStream } from '../disk/standard-stream.ts';
import { noteDrift } from '../drift/note-drift.ts';
import { enterStep, type FileSet, groupNotifications, inOrder, type ManagedFile } from '../file-set.ts';
import { outputsOf } from '../unit-output.ts';
import { runChecked } from './checked-command.ts';
import type { Limit } from './limit.ts';
import type { NoteWritten, RenderObserver, RunCommand, SignalProcess } from './ports.ts';
import { steppedGroup } from './stepped-group.ts';
import { nextStep, type Step, type StepResult } from './transaction-policy.ts';

export interface TransactionTools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly accounts: Accounts;
  readonly runCommand: RunCommand;
  readonly signalProcess: SignalProcess;
  readonly commit: CommitTools;
  /** How many groups may use the disk at a time. */
  readonly diskLimit: Limit;
  /** One notification of a kind at a time, across transactions. */
  readonly notifyLimit: (key: string) => Limit;
  readonly observer: RenderObserver;
  readonly noteWritten: NoteWritten | undefined;
  /** Aborted when the pipeline closes. */
  readonly signal: AbortSignal;
  /** Reads and parses the template of a unit that has none yet; throws `template_invalid`. */
  readonly load: (unit: ManagedFile) => Promise<TemplateConsumer>;
  /** A group has come to another step. */
  readonly onStep: () => void;
}

export interface GroupRun {
  readonly group: FileSet;
  step: Step;
  readonly executions: Map<ManagedFile, Execution>;
  readonly staged: Map<ManagedFile, StagedFile[]>;
  /** How the files are that have their bytes already, and those that were committed. */
  readonly prints: Map<ManagedFile, Map<string, FilePrint | undefined>>;
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

export function createRun(group: FileSet, tools: TransactionTools): GroupRun {
  let step: Step = 'retire';
  if (group.notifiesFirst) step = 'notify';
  else if (group.units.some((unit) => unit.isDirty)) step = 'stage';
  else if (group.owed.size > 0) step = 'notify';
  else if (group.owesSettle) step = 'settle';
  const isNotifyOnly = group.notifiesFirst;
  group.notifiesFirst = false;
  enterStep(group, step, tools.clock);
  return { ...createRehearsal(group), step, isNotifyOnly };
}

/** A run that is not noted on the group: for drills. */
export function createRehearsal(group: FileSet): GroupRun {
  return {
    group,
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
export async function prepareGroup(run: GroupRun, tools: TransactionTools): Promise<void> {
  if (run.step === 'stage') await attempt(run, tools, () => tools.diskLimit(() => stageGroup(run, tools)));
  if (run.step === 'check') await attempt(run, tools, () => checkGroup(run, tools));
  if (run.step === 'commit') await attempt(run, tools, () => tools.diskLimit(() => commitGroup(run, tools)));
  if (run.step === 'failing') await Promise.all([...run.staged.values()].flat().map(discardStaged));
}

/** Runs the step and moves on by its result; what it throws is the run's failure. */
export async function attempt(
  run: GroupRun,
  tools: TransactionTools,
  work: () => Promise<StepResult>,
): Promise<void> {
  const { step } = run;
  let result: StepResult = 'failed';
  try {
    tools.signal.throwIfAborted();
    result = await work();
  } catch (error) {
    run.failure = { step, error };
  }
  moveOn(run, result, tools);
}

export function moveOn(run: GroupRun, result: StepResult, tools: TransactionTools): void {
  tools.observer.stepped?.(steppedGroup(run, result));
  run.step = nextStep(run.step, result, {
    canRollBack: canRollBack(run) && !tools.signal.aborted,
    owesNotify: run.group.owed.size > 0,
  });
  enterStep(run.group, run.step, tools.clock);
  tools.onStep();
}

/** What the output of commands must not show: the values of everything that this group renders. */
export function masksOf(group: FileSet, executions: ReadonlyMap<ManagedFile, Execution>): SecretValue[] {
  const all = group.units.map((unit) => executions.get(unit) ?? unit.unsettled);
  return valuesOf(new Set(all.flatMap((execution) => [...(execution?.versions.values() ?? [])])));
}

async function stageGroup(run: GroupRun, tools: TransactionTools): Promise<StepResult> {
  const dirty = inOrder(run.group.units).filter((unit) => unit.isDirty);
  for (const unit of dirty) unit.consumer ??= await tools.load(unit);
  // One pass without waiting, so that all files of a set see the same versions.
  for (const unit of dirty) execute(run, unit, tools);
  if ([...run.executions.values()].some((execution) => execution.missing.length > 0)) return 'missing';
  const results = await Promise.allSettled(
    [...run.executions].map(([unit, execution]) => stageUnit(run, unit, execution, tools)),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  if (run.staged.size > 0 || run.fifos.size > 0) return 'ok';
  takePrints(run);
  return 'same';
}

function execute(run: GroupRun, unit: ManagedFile, tools: TransactionTools): void {
  if (unit.consumer === undefined) return;
  unit.isDirty = false;
  try {
    const execution = unit.consumer.execute();
    unit.consumer.hold(execution, 'staged');
    run.executions.set(unit, execution);
  } catch (error) {
    unit.isDirty = true;
    throw error;
  } finally {
    tools.observer.executed?.(unit.config.destination);
  }
}

async function stageUnit(
  run: GroupRun,
  unit: ManagedFile,
  execution: Execution,
  tools: TransactionTools,
): Promise<void> {
  const outputs = await outputsOf(unit.config, execution, tools.accounts);
  const staged: StagedFile[] = [];
  const prints = new Map<string, FilePrint | undefined>();
  let wasMended = false;
  // Noted before the first is written, so that a failure of the second discards it.
  run.staged.set(unit, staged);
  for (const output of outputs) {
    const isFifo = unit.config.fifo && output.destination === unit.config.destination;
    if (isFifo && !(await stageFifo(run, unit, output, tools))) continue;
    if (isFifo && unit.config.check === undefined) continue;
    // Nobody but the agent is named as its owner: another one is rid of it by a file of the agent's own.
    const isTaken = unit.suspicion === 'owner' && output.uid === undefined;
    const result = await stageOutput(output, {
      spareFolder: tools.commit.stateFolder,
      always: isFifo || isTaken,
    });
    if (isStaged(result)) staged.push(result);
    else {
      prints.set(result.destination, await printOfWritten(result.destination, result.identity));
      wasMended ||= result.wasMended;
    }
    if (isFifo) continue;
    const file = { path: output.destination, owner: output.uid };
    const written = tools.noteWritten?.(file, output.bytes, execution.versions);
    if (written !== undefined) run.written.push(written);
    output.bytes.fill(0);
  }
  run.prints.set(unit, prints);
  if (staged.length > 0) return;
  run.staged.delete(unit);
  noteMended(unit, wasMended, tools);
}

function noteMended(unit: ManagedFile, wasMended: boolean, tools: TransactionTools): void {
  // The bytes were right, so it was no more than that.
  if (wasMended && unit.suspicion !== undefined)
    noteDrift(unit, unit.suspicion === 'owner' ? 'owner' : 'mode', false, tools);
  else if (wasMended)
    tools.logger.info({ destination: unit.config.destination }, 'owner or mode of the file mended');
  unit.suspicion = undefined;
}

/** The files are as they were staged, or were so before. */
function takePrints(run: GroupRun): void {
  for (const written of run.written) written();
  for (const [unit, prints] of run.prints) unit.prints = prints;
}

/** Whether the value differs from what readers of the FIFO get now. */
async function stageFifo(
  run: GroupRun,
  unit: ManagedFile,
  output: Output,
  tools: TransactionTools,
): Promise<boolean> {
  unit.fifo ??= await openFifo(unit, output, tools);
  const previous = unit.fifo.current();
  const { bytes, mode, uid, gid } = output;
  const isSame =
    previous?.bytes.equals(bytes) === true &&
    previous.mode === mode &&
    previous.uid === uid &&
    previous.gid === gid;
  if (!isSame) run.fifos.set(unit, { next: { bytes, mode, uid, gid }, previous });
  return !isSame;
}

async function openFifo(unit: ManagedFile, output: Output, tools: TransactionTools): Promise<FifoServer> {
  const { clock, logger } = tools;
  const stream = standardStreamOf(output.destination);
  if (stream !== undefined) return createStandardStream(stream);
  const destination = await findDestination(output);
  const onRestored = (what: 'deleted' | 'content') => noteDrift(unit, what, false, tools);
  return createFifoServer({ destination, clock, logger, onRestored });
}

/** All checks of the group: those of files that stay as they are see the destination. */
export async function checkGroup(run: GroupRun, tools: TransactionTools): Promise<StepResult> {
  const masks = masksOf(run.group, run.executions);
  const units = inOrder(run.group.units);
  const pairs: [string, string][] = units.map(({ config }, index) => [
    `staged:${config.destination}`,
    stagedPath(run, units[index]) ?? config.destination,
  ]);
  const done = new Set<string>();
  for (const unit of units) {
    const { check, destination, place, fifo } = unit.config;
    const staged = stagedPath(run, unit);
    if (check === undefined || (fifo && staged === undefined)) continue;
    const placeholders = { ...Object.fromEntries(pairs), staged: staged ?? destination, destination };
    const key = JSON.stringify([check.command, placeholders.staged, destination]);
    if (done.has(key)) continue;
    done.add(key);
    await runChecked(tools.runCommand, {
      ...check,
      placeholders,
      place: `${place}.check`,
      code: 'check_failed',
      signal: tools.signal,
      masks,
    });
  }
  return 'ok';
}

async function commitGroup(run: GroupRun, tools: TransactionTools): Promise<StepResult> {
  const { group } = run;
  const notifications = groupNotifications(group);
  const owesSettle = group.units.some((unit) => unit.config.settle !== undefined);
  const files: StagedFile[] = [];
  for (const [unit, staged] of run.staged) {
    for (const file of staged) {
      // What was staged of a FIFO was for its check alone.
      if (unit.config.fifo && file.destination === unit.config.destination) await discardStaged(file);
      else files.push(file);
    }
  }
  if (files.length > 0) {
    const canRestore = group.units.some((unit) => unit.config.onFailure === 'rollback');
    const notify = notifications.size > 0 || owesSettle ? files.map((file) => file.destination) : [];
    run.commit = await commitFiles({ files, canRestore, notify }, tools.commit);
    for (const [unit, staged] of run.staged) {
      const prints = run.prints.get(unit);
      for (const { destination, inPlace, identity } of staged) {
        prints?.set(destination, await printOfWritten(destination, inPlace ? undefined : identity));
      }
    }
  }
  takePrints(run);
  await finishFailedRollbacks(group);
  for (const [unit, { next }] of run.fifos) await unit.fifo?.offer(next);
  group.owed.clear();
  for (const [key, notification] of notifications) group.owed.set(key, notification);
  group.owesSettle = owesSettle;
  for (const [unit, execution] of run.executions) noteCommit(run, unit, execution, tools);
  return 'ok';
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

function noteCommit(run: GroupRun, unit: ManagedFile, execution: Execution, tools: TransactionTools): void {
  unit.consumer?.hold(execution, 'committed');
  unit.unsettled = execution;
  unit.versions = new Map([...execution.versions].map(([key, version]) => [key, version.number]));
  if (!run.staged.has(unit) && !run.fifos.has(unit)) return;
  // What is put right is no rotation: its secrets may be old.
  const isRepair = unit.suspicion !== undefined;
  if (unit.suspicion !== undefined) noteDrift(unit, unit.suspicion, false, tools);
  unit.suspicion = undefined;
  const now = tools.clock.wall();
  unit.committedAt = now;
  const newest = Math.max(...[...execution.versions.values()].map((version) => version.obtainedAt));
  const latencyMs = Number.isFinite(newest) && !isRepair ? Math.max(0, now - newest) : undefined;
  if (latencyMs !== undefined) run.obtainedAt.set(unit, newest);
  tools.observer.committed?.(unit.config.destination);
  tools.logger.info(
    {
      destination: unit.config.destination,
      ...(run.group.set === undefined ? {} : { set: run.group.set }),
      latency_ms: latencyMs,
    },
    'file committed',
  );
}

function canRollBack(run: GroupRun): boolean {
  const { group, commit, fifos } = run;
  if (!group.units.some((unit) => unit.config.onFailure === 'rollback')) return false;
  if (commit === undefined && fifos.size === 0) return false;
  return commit?.hasPrevious !== false && [...fifos.values()].every(({ previous }) => previous !== undefined);
}

function stagedPath(run: GroupRun, unit: ManagedFile | undefined): string | undefined {
  if (unit === undefined) return undefined;
  return run.staged.get(unit)?.find((file) => file.destination === unit.config.destination)?.path;
}

/** For callers that must tell a stop of the agent from a failure. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return (
    signal.aborted &&
    (error === signal.reason || (error instanceof LatchkeyError && error.code === 'aborted'))
  );
}
