// One transaction over sets of files, from stage to retire. Which sets belong together and when it starts is for the
// pipeline to say; the order of the steps is in transaction-policy.ts.
import { errorCode } from '../../base/errors.ts';
import { removeJournal } from '../disk/journal.ts';
import { acceptOwner } from '../drift/note-drift.ts';
import { enterStep, type FileSet, noteFailure } from '../file-set.ts';
import { notifySets, rollBackSets, settleSets } from './after-commit.ts';
import {
  createRun,
  finishFailedRollbacks,
  isAbort,
  moveOn,
  prepareSet,
  type SetRun,
  type TransactionTools,
} from './set-run.ts';

/** How it ended for one set. */
export interface SetOutcome {
  readonly set: FileSet;
  /** Whether it must be tried again after a while. */
  readonly shouldRetry: boolean;
  readonly wasRolledBack: boolean;
  /** Only notifications were sent that were owed from before: the files themselves are still to be looked at. */
  readonly isUnrendered: boolean;
}

/** Never throws: each set's failure is noted on it. */
export async function runTransaction(
  sets: readonly FileSet[],
  tools: TransactionTools,
): Promise<SetOutcome[]> {
  const runs = sets.map((set) => createRun(set, tools));
  await Promise.all(runs.map((run) => prepareSet(run, tools)));
  for (const [step, work] of together) {
    const reached = runs.filter((run) => run.step === step);
    if (reached.length > 0) await work(reached, tools);
  }
  const outcomes: SetOutcome[] = [];
  for (const run of runs) outcomes.push(await conclude(run, tools));
  return outcomes;
}

/** What all sets that have come so far do together, in order. */
const together = [
  ['notify', notifySets],
  ['settle', settleSets],
  ['rollback', rollBackSets],
] as const;

async function conclude(run: SetRun, tools: TransactionTools): Promise<SetOutcome> {
  const { set } = run;
  if (run.step === 'retire') await retire(run, tools);
  else if (run.step === 'owed') await keepOwing(run);
  else giveUp(run);
  report(run, tools);
  const isOwing = set.owed.size > 0;
  // A new rendering that fails or waits must not keep programs from being told of the last one.
  if (isOwing && (run.step === 'failing' || run.step === 'waiting')) set.notifiesFirst = true;
  return {
    set,
    shouldRetry: run.step === 'failing' || run.step === 'owed' || (run.step === 'waiting' && isOwing),
    wasRolledBack: run.wasRolledBack,
    isUnrendered: run.isNotifyOnly && set.files.some((file) => file.isDirty),
  };
}

/** Everything is in use: older versions are let go, which starts their `overlap`. */
async function retire(run: SetRun, tools: TransactionTools): Promise<void> {
  const { set } = run;
  for (const file of set.files) {
    const execution = run.executions.get(file) ?? file.unsettled;
    if (execution !== undefined) {
      file.consumer?.hold(execution, 'settled');
      file.versions = new Map([...execution.versions].map(([key, version]) => [key, version.number]));
    }
    file.unsettled = undefined;
    if (run.commit !== undefined) await acceptOwner(file);
  }
  // A file that cannot be removed now is swept at the next start; a journal then only repeats a notification.
  await run.commit?.finish(true).catch(() => undefined);
  for (const path of set.journals) await removeJournal(path).catch(() => undefined);
  set.journals.clear();
  await finishFailedRollbacks(set);
  set.attempts = 0;
  if (set.failure !== undefined) {
    tools.logger.info(nameOf(set), 'files are current again');
    set.failure = undefined;
  }
  moveOn(run, 'ok', tools);
  if (run.isNotifyOnly && set.files.some((file) => file.isDirty)) enterStep(set, 'waiting', tools.clock);
}

async function keepOwing(run: SetRun): Promise<void> {
  await run.commit?.finish(false).catch(() => undefined);
  if (run.commit?.journalPath !== undefined) run.set.journals.add(run.commit.journalPath);
}

function giveUp(run: SetRun): void {
  for (const file of run.set.files) {
    if (!run.executions.has(file)) continue;
    file.isDirty = true;
    file.consumer?.release('staged');
  }
}

function report(run: SetRun, tools: TransactionTools): void {
  const { set, failure } = run;
  if (failure === undefined) {
    for (const file of set.files) tools.observer.concluded?.(file.config.destination, run.step, undefined);
    for (const [file, at] of run.step === 'current' ? run.obtainedAt : []) {
      tools.observer.rotated?.(file.config.destination, Math.max(0, tools.clock.wall() - at));
    }
    return;
  }
  if (isAbort(failure.error, tools.signal)) return;
  const code = errorCode(failure.error);
  set.attempts += 1;
  const isNews = noteFailure(set, failure.step, failure.error, tools.clock);
  const fields = {
    event: 'file.failed',
    ...nameOf(set),
    step: failure.step,
    code,
    attempt: set.attempts,
  };
  const message = `${set.failure?.message ?? ''}${run.wasRolledBack ? '; the old files are back' : ''}`;
  if (isNews) tools.logger.warn(fields, message);
  else tools.logger.debug(fields, message);
  for (const file of set.files) tools.observer.concluded?.(file.config.destination, failure.step, code);
  enterStep(set, run.step, tools.clock);
}

function nameOf(set: FileSet): Record<string, unknown> {
  return set.name === undefined
    ? { destination: set.key }
    : { set: set.name, destinations: set.files.map((file) => file.config.destination) };
}
