// One transaction over groups of files, from stage to retire. Which groups belong together and when it starts is for the
// pipeline to say; the order of the steps is in transaction-policy.ts.
import { errorCode } from '../../base/errors.ts';
import { removeJournal } from '../disk/journal.ts';
import { acceptOwner } from '../drift/note-drift.ts';
import { enterStep, type FileSet, noteFailure } from '../file-set.ts';
import { notifyGroups, rollBackGroups, settleGroups } from './announce.ts';
import {
  createRun,
  finishFailedRollbacks,
  type GroupRun,
  isAbort,
  moveOn,
  prepareGroup,
  type TransactionTools,
} from './group-run.ts';

/** How it ended for one group. */
export interface GroupOutcome {
  readonly group: FileSet;
  /** Whether it must be tried again after a while. */
  readonly shouldRetry: boolean;
  readonly wasRolledBack: boolean;
  /** Only notifications were sent that were owed from before: the files themselves are still to be looked at. */
  readonly isUnrendered: boolean;
}

/** Never throws: each group's failure is noted on it. */
export async function runTransaction(
  groups: readonly FileSet[],
  tools: TransactionTools,
): Promise<GroupOutcome[]> {
  const runs = groups.map((group) => createRun(group, tools));
  await Promise.all(runs.map((run) => prepareGroup(run, tools)));
  await notifyGroups(at(runs, 'notify'), tools);
  await settleGroups(at(runs, 'settle'), tools);
  await rollBackGroups(at(runs, 'rollback'), tools);
  const outcomes: GroupOutcome[] = [];
  for (const run of runs) outcomes.push(await conclude(run, tools));
  return outcomes;
}

function at(runs: readonly GroupRun[], step: GroupRun['step']): GroupRun[] {
  return runs.filter((run) => run.step === step);
}

async function conclude(run: GroupRun, tools: TransactionTools): Promise<GroupOutcome> {
  const { group } = run;
  if (run.step === 'retire') await retire(run, tools);
  else if (run.step === 'owed') await keepOwing(run);
  else giveUp(run);
  report(run, tools);
  const isOwing = group.owed.size > 0;
  // A new rendering that fails or waits must not keep programs from being told of the last one.
  if (isOwing && (run.step === 'failing' || run.step === 'waiting')) group.notifiesFirst = true;
  return {
    group,
    shouldRetry: run.step === 'failing' || run.step === 'owed' || (run.step === 'waiting' && isOwing),
    wasRolledBack: run.wasRolledBack,
    isUnrendered: run.isNotifyOnly && group.units.some((unit) => unit.isDirty),
  };
}

/** Everything is in use: older versions are let go, which starts their `overlap`. */
async function retire(run: GroupRun, tools: TransactionTools): Promise<void> {
  const { group } = run;
  for (const unit of group.units) {
    const execution = run.executions.get(unit) ?? unit.unsettled;
    if (execution !== undefined) {
      unit.consumer?.hold(execution, 'settled');
      unit.versions = new Map([...execution.versions].map(([key, version]) => [key, version.number]));
    }
    unit.unsettled = undefined;
    if (run.commit !== undefined) await acceptOwner(unit);
  }
  // A file that cannot be removed now is swept at the next start; a journal then only repeats a notification.
  await run.commit?.finish(true).catch(() => undefined);
  for (const path of group.journals) await removeJournal(path).catch(() => undefined);
  group.journals.clear();
  await finishFailedRollbacks(group);
  group.attempts = 0;
  if (group.failure !== undefined) {
    tools.logger.info(nameOf(group), 'files are current again');
    group.failure = undefined;
  }
  moveOn(run, 'ok', tools);
  if (run.isNotifyOnly && group.units.some((unit) => unit.isDirty)) enterStep(group, 'waiting', tools.clock);
}

async function keepOwing(run: GroupRun): Promise<void> {
  await run.commit?.finish(false).catch(() => undefined);
  if (run.commit?.journalPath !== undefined) run.group.journals.add(run.commit.journalPath);
}

function giveUp(run: GroupRun): void {
  for (const unit of run.group.units) {
    if (!run.executions.has(unit)) continue;
    unit.isDirty = true;
    unit.consumer?.release('staged');
  }
}

function report(run: GroupRun, tools: TransactionTools): void {
  const { group, failure } = run;
  if (failure === undefined) {
    for (const unit of group.units) tools.observer.concluded?.(unit.config.destination, run.step, undefined);
    for (const [unit, at] of run.step === 'current' ? run.obtainedAt : []) {
      tools.observer.rotated?.(unit.config.destination, Math.max(0, tools.clock.wall() - at));
    }
    return;
  }
  if (isAbort(failure.error, tools.signal)) return;
  const code = errorCode(failure.error);
  group.attempts += 1;
  const isNews = noteFailure(group, failure.step, failure.error, tools.clock);
  const fields = {
    event: 'file.failed',
    ...nameOf(group),
    step: failure.step,
    code,
    attempt: group.attempts,
  };
  const message = `${group.failure?.message ?? ''}${run.wasRolledBack ? '; the old files are back' : ''}`;
  if (isNews) tools.logger.warn(fields, message);
  else tools.logger.debug(fields, message);
  for (const unit of group.units) tools.observer.concluded?.(unit.config.destination, failure.step, code);
  enterStep(group, run.step, tools.clock);
}

function nameOf(group: FileSet): Record<string, unknown> {
  return group.set === undefined
    ? { destination: group.key }
    : { set: group.set, destinations: group.units.map((unit) => unit.config.destination) };
}
