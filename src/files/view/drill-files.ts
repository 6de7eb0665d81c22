// Rehearses what would happen to the files of one secret: a rotation with made-up values on staged copies, judged by the
// real check commands, or an outage of its upstream. Destinations are never touched; programs are told only when asked.
import type { DrillKind } from '../../api/admin.ts';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import { roughDuration } from '../../base/time/duration.ts';
import type { SecretOverride } from '../../content/template-consumer.ts';
import type { Entry } from '../../store/entry.ts';
import type { Store } from '../../store/store.ts';
import { discardStaged, isStaged, type StagedFile, stageOutput } from '../disk/stage.ts';
import type { FileRegister } from '../file-register.ts';
import { type FileSet, type ManagedFile, setNotifications } from '../file-set.ts';
import { outputsOf } from '../outputs-of.ts';
import { type Notification, sendNotification } from '../transaction/notification.ts';
import {
  checkSet,
  createRehearsal,
  masksOf,
  type SetRun,
  type TransactionTools,
} from '../transaction/set-run.ts';

export interface DrillRequest {
  /** The entry's key in the store. */
  readonly key: string;
  /** The secrets after a rotation that is made up; undefined leaves one as it is. */
  readonly override: SecretOverride;
  readonly kind: DrillKind;
  /** Send the notifications too: programs reload files that have not changed. */
  readonly notify: boolean;
}

interface DrillStep {
  readonly step: 'stage' | 'check' | 'notify';
  readonly isOk: boolean;
  readonly milliseconds: number;
  readonly message: string | undefined;
}

export interface DrilledFile {
  readonly destination: string;
  readonly set: string | undefined;
  /**
   * `recovers`: its program takes the new value while it runs; `restarts`: it takes it by a restart; `unknown`: nobody
   * tells it, so it must read the file by itself; `keeps`: it goes on with the value that it has; `fails`: see the steps.
   */
  readonly outcome: 'recovers' | 'restarts' | 'unknown' | 'keeps' | 'fails';
  readonly steps: readonly DrillStep[];
  /** One sentence. */
  readonly note: string;
}

interface DrillOptions {
  readonly register: FileRegister;
  readonly store: Store;
  readonly tools: TransactionTools;
}

const staticStaleMs = 24 * 3_600_000;

/** One answer for each file that depends on the secret; throws `not_found` when there is no such entry. */
export async function drillFiles(request: DrillRequest, options: DrillOptions): Promise<DrilledFile[]> {
  const { register, store } = options;
  const entry = store.find(request.key);
  if (entry === undefined) throw new LatchkeyError('not_found', `nothing uses ${request.key}`);
  const files = register.files().filter((file) => file.consumer?.keys().includes(request.key));
  if (request.kind === 'outage') {
    return files.map((file) => duringOutage(file, register.setOf(file), entry, options));
  }
  const drilled: DrilledFile[] = [];
  for (const set of new Set(files.map((file) => register.setOf(file)))) {
    const steps = await rehearse(set, request, options);
    const affected = set.files.filter((file) => files.includes(file));
    drilled.push(...affected.map((file) => judge(file, set, steps, request.kind)));
  }
  return drilled;
}

async function rehearse(set: FileSet, request: DrillRequest, { tools }: DrillOptions): Promise<DrillStep[]> {
  const run = createRehearsal(set);
  const steps: DrillStep[] = [];
  try {
    const isStagedWell = await note(steps, 'stage', tools, () => stageRehearsal(run, request, tools));
    const hasCheck = set.files.some((file) => file.config.check !== undefined);
    const isGood =
      isStagedWell && (!hasCheck || (await note(steps, 'check', tools, () => checkSet(run, tools))));
    if (!isGood || !request.notify) return steps;
    for (const notification of setNotifications(set).values()) {
      await note(steps, 'notify', tools, () => notify(notification, run, tools));
    }
    return steps;
  } finally {
    await Promise.all([...run.staged.values()].flat().map(discardStaged));
  }
}

async function stageRehearsal(run: SetRun, request: DrillRequest, tools: TransactionTools): Promise<void> {
  for (const file of run.set.files) {
    const execution = file.consumer?.rehearse(request.override);
    const missing = execution?.missing[0];
    if (execution === undefined || missing !== undefined) {
      throw new LatchkeyError(
        'template_failed',
        `${file.config.destination} waits for ${missing?.name ?? 'its template'}`,
      );
    }
    run.executions.set(file, execution);
  }
  for (const [file, execution] of run.executions) {
    const staged: StagedFile[] = [];
    run.staged.set(file, staged);
    for (const output of await outputsOf(file.config, execution, tools.accounts)) {
      if (standardStreamOf(output.destination) !== undefined) continue;
      const result = await stageOutput(output, { spareFolder: tools.commit.stateFolder, always: true });
      if (isStaged(result)) staged.push(result);
    }
  }
}

function notify(notification: Notification, run: SetRun, tools: TransactionTools): Promise<boolean> {
  const masks = masksOf(run.set, run.executions);
  return tools.notifyLimit(notification.key)(() =>
    sendNotification(notification, tools, { signal: tools.signal, masks }),
  );
}

async function note(
  steps: DrillStep[],
  step: DrillStep['step'],
  tools: TransactionTools,
  work: () => Promise<unknown>,
): Promise<boolean> {
  const start = tools.clock.now();
  let message: string | undefined;
  try {
    await work();
  } catch (error) {
    message = describeError(error);
  }
  const isOk = message === undefined;
  steps.push({ step, isOk, milliseconds: Math.round(tools.clock.now() - start), message });
  return isOk;
}

function judge(file: ManagedFile, set: FileSet, steps: readonly DrillStep[], kind: DrillKind): DrilledFile {
  const common = { destination: file.config.destination, set: set.name, steps };
  const failed = steps.find((step) => !step.isOk);
  if (failed !== undefined) {
    const note = `the ${failed.step} step fails: ${failed.message ?? ''}`;
    return { ...common, outcome: 'fails', note };
  }
  const notifications = [...setNotifications(set).values()];
  const until = kind === 'revocation' ? '; until then it works with a credential that is dead' : '';
  if (notifications.length === 0) {
    return {
      ...common,
      outcome: 'unknown',
      note: `nobody tells its program: it must read the file again by itself${until}`,
    };
  }
  const texts = notifications.map((notification) => notification.text).join(', then ');
  if (notifications.some(isRestart)) {
    return { ...common, outcome: 'restarts', note: `its program is restarted: ${texts}${until}` };
  }
  return {
    ...common,
    outcome: 'recovers',
    note: `its program takes the new value while it runs: ${texts}${until}`,
  };
}

function isRestart({ config }: Notification): boolean {
  if (config.kind === 'unit') return config.action === 'restart' || config.action === 'kill';
  if (config.kind === 'command') return config.command.includes('restart');
  return config.signal === 'SIGTERM' || config.signal === 'SIGKILL' || config.signal === 'SIGINT';
}

/** Nothing happens to a file while its upstream is away; what counts is for how long. */
function duringOutage(file: ManagedFile, set: FileSet, entry: Entry, { tools }: DrillOptions): DrilledFile {
  const common = { destination: file.config.destination, set: set.name, steps: [] };
  if (entry.current === undefined) {
    return {
      ...common,
      outcome: 'fails',
      note: 'it has never had this secret: it waits until upstream is back',
    };
  }
  const leftMs =
    entry.expiresAt === undefined ? undefined : Math.max(0, entry.expiresAt - tools.clock.wall());
  if (entry.current.lease !== undefined && leftMs !== undefined) {
    const note = `it keeps its content; the credential in it works for ${roughDuration(leftMs)} more, as long as its lease`;
    return { ...common, outcome: 'keeps', note };
  }
  const staleMs = entry.policy.maxStaleMs ?? staticStaleMs;
  const then =
    entry.policy.onStale === 'keep'
      ? 'the value is kept for ever (on_stale: keep)'
      : `the value counts as current for ${roughDuration(staleMs)} (max_stale)`;
  return { ...common, outcome: 'keeps', note: `it keeps its content; ${then}` };
}
