// The second half of a transaction, for all its groups together: notifications and probes that are identical are sent once,
// in the order of the config; and a rollback of those whose programs did not take the new files.
import { errorCode } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import { groupNotifications, inOrder } from '../file-set.ts';
import { attempt, type GroupRun, masksOf, moveOn, type TransactionTools } from './group-run.ts';
import { type Notification, sendNotification } from './notification.ts';
import { type Probe, probeKey, settle } from './settle.ts';

/** Sends what the groups owe; each keeps owing what failed. */
export async function notifyGroups(runs: readonly GroupRun[], tools: TransactionTools): Promise<void> {
  const failures = await sendOwed(runs, tools);
  for (const run of runs) {
    const failed = [...run.group.owed.keys()].find((key) => failures.has(key));
    if (failed !== undefined) run.failure = { step: 'notify', error: failures.get(failed) };
    moveOn(run, failed === undefined ? 'ok' : 'failed', tools);
  }
}

/** Asks every probe of the groups until it is well. */
export async function settleGroups(runs: readonly GroupRun[], tools: TransactionTools): Promise<void> {
  const answers = new Map<string, Promise<void>>();
  await Promise.all(
    runs.map((run) =>
      attempt(run, tools, async () => {
        if (run.group.owesSettle) {
          for (const probe of probesOf(run)) {
            const key = probeKey(probe);
            const answer = answers.get(key) ?? settle(probe, tools, tools.signal);
            answers.set(key, answer);
            await answer;
          }
        }
        run.group.owesSettle = false;
        return 'ok';
      }),
    ),
  );
}

/** Brings the old files back and tells their programs again. */
export async function rollBackGroups(runs: readonly GroupRun[], tools: TransactionTools): Promise<void> {
  const restored: GroupRun[] = [];
  for (const run of runs) {
    try {
      await tools.diskLimit(() => restore(run));
      restored.push(run);
    } catch (error) {
      run.failure = { step: 'rollback', error };
      if (run.commit !== undefined) run.group.failedRollbacks.add(run.commit);
    }
  }
  const failures = await sendOwed(restored, tools);
  for (const run of restored) {
    const isTold = ![...run.group.owed.keys()].some((key) => failures.has(key));
    // What cannot be removed now is found at the next start, when every step has been done.
    await run.commit?.finish(isTold).catch(() => undefined);
    if (!isTold && run.commit?.journalPath !== undefined) run.group.journals.add(run.commit.journalPath);
  }
  for (const run of runs) moveOn(run, 'ok', tools);
}

async function restore(run: GroupRun): Promise<void> {
  const { group } = run;
  await run.commit?.restore();
  for (const [unit, { previous }] of run.fifos) if (previous !== undefined) await unit.fifo?.offer(previous);
  group.owed.clear();
  for (const [key, notification] of groupNotifications(group)) group.owed.set(key, notification);
  group.owesSettle = false;
  for (const unit of run.executions.keys()) {
    unit.consumer?.release('committed');
    unit.unsettled = undefined;
    unit.versions = new Map();
  }
  run.wasRolledBack = true;
  // What is there now is not what the unit renders to: it is left alone until the next commit.
  for (const unit of run.group.units) unit.prints = new Map();
}

/** The failures by notification key; what was sent is no longer owed. */
async function sendOwed(runs: readonly GroupRun[], tools: TransactionTools): Promise<Map<string, unknown>> {
  const failures = new Map<string, unknown>();
  for (const [key, { notification, masks }] of collectOwed(runs)) {
    try {
      tools.signal.throwIfAborted();
      await tools.notifyLimit(key)(() =>
        sendNotification(notification, tools, { signal: tools.signal, masks }),
      );
      for (const run of runs) run.group.owed.delete(key);
      tools.observer.notified?.(notification.text, undefined);
      tools.logger.info({ notification: notification.text }, 'program notified');
    } catch (error) {
      failures.set(key, error);
      tools.observer.notified?.(notification.text, errorCode(error));
    }
  }
  return failures;
}

function collectOwed(
  runs: readonly GroupRun[],
): Map<string, { notification: Notification; masks: SecretValue[] }> {
  const owed = new Map<string, { notification: Notification; masks: SecretValue[] }>();
  const units = runs.flatMap((run) => run.group.units.map((unit) => ({ run, unit })));
  units.sort((a, b) => a.unit.order - b.unit.order);
  const seen = new Set<GroupRun>();
  for (const { run } of units) {
    if (seen.has(run)) continue;
    seen.add(run);
    const masks = run.group.owed.size > 0 ? masksOf(run.group, run.executions) : [];
    for (const [key, notification] of run.group.owed) {
      const known = owed.get(key);
      if (known === undefined) owed.set(key, { notification, masks: [...masks] });
      else known.masks.push(...masks);
    }
  }
  return owed;
}

function probesOf(run: GroupRun): Probe[] {
  const masks = masksOf(run.group, run.executions);
  return inOrder(run.group.units).flatMap(({ config }) => {
    if (config.settle === undefined) return [];
    const placeholders = { destination: config.destination, staged: config.destination };
    return [{ config: config.settle, place: `${config.place}.settle`, placeholders, masks }];
  });
}
