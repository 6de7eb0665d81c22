// The second half of a transaction, for all its sets together: notifications and probes that are identical are sent once,
// in the order of the config; and a rollback of those whose programs did not take the new files.
import { errorCode } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import { keyAt } from '../../base/text/key-at.ts';
import { inOrder, setNotifications } from '../file-set.ts';
import { type Notification, sendNotification } from './notification.ts';
import { attempt, masksOf, moveOn, type SetRun, type TransactionTools } from './set-run.ts';
import { type Probe, probeKey, settle } from './settle.ts';

/** Sends what the sets owe; each keeps owing what failed. */
export async function notifySets(runs: readonly SetRun[], tools: TransactionTools): Promise<void> {
  const failures = await sendOwed(runs, tools);
  for (const run of runs) {
    const failed = [...run.set.owed.keys()].find((key) => failures.has(key));
    if (failed !== undefined) run.failure = { step: 'notify', error: failures.get(failed) };
    moveOn(run, failed === undefined ? 'ok' : 'failed', tools);
  }
}

/** Asks every probe of the sets until it is well. */
export async function settleSets(runs: readonly SetRun[], tools: TransactionTools): Promise<void> {
  const answers = new Map<string, Promise<void>>();
  const ask = async (run: SetRun): Promise<'ok'> => {
    for (const probe of probesOf(run)) {
      const key = probeKey(probe);
      const answer = answers.get(key) ?? settle(probe, tools, tools.signal);
      answers.set(key, answer);
      await answer;
    }
    run.set.owesSettle = false;
    return 'ok';
  };
  await Promise.all(runs.map((run) => attempt(run, tools, () => (run.set.owesSettle ? ask(run) : 'ok'))));
}

/** Brings the old files back and tells their programs again. */
export async function rollBackSets(runs: readonly SetRun[], tools: TransactionTools): Promise<void> {
  const restored: SetRun[] = [];
  for (const run of runs) {
    try {
      await tools.diskLimit(() => restore(run));
      restored.push(run);
    } catch (error) {
      run.failure = { step: 'rollback', error };
      if (run.commit !== undefined) run.set.failedRollbacks.add(run.commit);
    }
  }
  const failures = await sendOwed(restored, tools);
  for (const run of restored) {
    const isTold = ![...run.set.owed.keys()].some((key) => failures.has(key));
    // What cannot be removed now is found at the next start, when every step has been done.
    await run.commit?.finish(isTold).catch(() => undefined);
    if (!isTold && run.commit?.journalPath !== undefined) run.set.journals.add(run.commit.journalPath);
  }
  for (const run of runs) moveOn(run, 'ok', tools);
}

async function restore(run: SetRun): Promise<void> {
  const { set } = run;
  await run.commit?.restore();
  for (const [file, { previous }] of run.fifos) if (previous !== undefined) await file.fifo?.offer(previous);
  set.owed.clear();
  for (const [key, notification] of setNotifications(set)) set.owed.set(key, notification);
  set.owesSettle = false;
  for (const file of run.executions.keys()) {
    file.consumer?.release('committed');
    file.unsettled = undefined;
    file.versions = new Map();
  }
  run.wasRolledBack = true;
  // What is there now is not what the file renders to: it is left alone until the next commit.
  for (const file of run.set.files) file.prints = new Map();
}

/** The failures by notification key; what was sent is no longer owed. */
async function sendOwed(
  runs: readonly SetRun[],
  tools: TransactionTools,
): Promise<ReadonlyMap<string, unknown>> {
  const failures = new Map<string, unknown>();
  if (runs.every(({ set }) => set.owed.size === 0)) return failures;
  for (const [key, { notification, masks }] of collectOwed(runs)) {
    try {
      tools.signal.throwIfAborted();
      const isTold = await tools.notifyLimit(key)(() =>
        sendNotification(notification, tools, { signal: tools.signal, masks }),
      );
      for (const run of runs) run.set.owed.delete(key);
      tools.observer.notified?.(notification.text, undefined);
      if (isTold) tools.logger.info({ notification: notification.text }, 'program notified');
    } catch (error) {
      failures.set(key, error);
      tools.observer.notified?.(notification.text, errorCode(error));
    }
  }
  return failures;
}

function collectOwed(
  runs: readonly SetRun[],
): Map<string, { notification: Notification; masks: SecretValue[] }> {
  const owed = new Map<string, { notification: Notification; masks: SecretValue[] }>();
  const files = runs.flatMap((run) => run.set.files.map((file) => ({ run, file })));
  files.sort((a, b) => a.file.order - b.file.order);
  const seen = new Set<SetRun>();
  for (const { run } of files) {
    if (seen.has(run)) continue;
    seen.add(run);
    const masks = run.set.owed.size > 0 ? masksOf(run.set, run.executions) : [];
    for (const [key, notification] of run.set.owed) {
      const known = owed.get(key);
      if (known === undefined) owed.set(key, { notification, masks: [...masks] });
      else known.masks.push(...masks);
    }
  }
  return owed;
}

function probesOf(run: SetRun): Probe[] {
  const masks = masksOf(run.set, run.executions);
  return inOrder(run.set.files).flatMap(({ config }) => {
    if (config.settle === undefined) return [];
    const placeholders = { destination: config.destination, staged: config.destination };
    return [{ config: config.settle, place: keyAt(config.place, 'settle'), placeholders, masks }];
  });
}
