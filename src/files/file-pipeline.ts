// All files of the config: decides when which of them go through a transaction together, tells where each stands, and
// takes over a new config. The steps themselves are in transaction.ts.

import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Prepared } from '../base/prepared.ts';
import type { RunCommand } from '../base/run-command.ts';
import type { FaultOf } from '../base/surroundings.ts';
import { untilAborted } from '../base/time/aborted.ts';
import type { BackoffLimits } from '../base/time/backoff.ts';
import { backoffDelayMs } from '../base/time/backoff.ts';
import { createEarliestTimer } from '../base/time/earliest-timer.ts';
import { createChangePoint, until } from '../base/time/until.ts';
import type { FileConfig } from '../config/resolved.ts';
import type { CompileTemplate } from '../content/template-loader.ts';
import { type Accounts, createAccounts } from './disk/accounts.ts';
import { createFolderSync } from './disk/folder-sync.ts';
import { type OwnedDestination, recover } from './disk/recovery.ts';
import { removeFiles } from './disk/remove-files.ts';
import { isInPlace as isOutputInPlace } from './disk/stage.ts';
import { createDriftWatch } from './drift/drift-watch.ts';
import { createFileRegister, type FileRegister, type FileSources } from './file-register.ts';
import { type FileSet, isInPlace, type ManagedFile, setNotifications, signalsProcess } from './file-set.ts';
import { outputsOf } from './outputs-of.ts';
import { createQuietTime } from './quiet-time.ts';
import { prepareFiles, type ReconcileResult } from './reconcile.ts';
import { createLimit, type Limit } from './transaction/limit.ts';
import { partitionBySharedKeys } from './transaction/partition-policy.ts';
import type { FileObserver, NoteWritten, SignalProcess } from './transaction/ports.ts';
import { defaultRetryLimits, type RetryKind, retryKind } from './transaction/retry-policy.ts';
import type { TransactionTools } from './transaction/set-run.ts';
import { runTransaction, type SetOutcome } from './transaction/transaction.ts';
import { diffFiles, type FileDiff } from './view/diff.ts';
import { type DrilledFile, type DrillRequest, drillFiles } from './view/drill-files.ts';
import {
  explainFile,
  type FileExplanation,
  type FileStatus,
  type FileTrouble,
  fileStatus,
  fileTrouble,
  isWell,
} from './view/file-status.ts';
import { noRefusals, type Refusals, type RenderResult, watchUntilRendered } from './view/render-once.ts';

export interface FilePipelineOptions extends FileSources {
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly runCommand: RunCommand;
  readonly signalProcess: SignalProcess;
  readonly observer?: FileObserver;
  readonly noteWritten?: NoteWritten;
  /** For journals and the list of folders to sweep; undefined: a killed agent's commit is not finished. */
  readonly stateFolder?: string;
  readonly accounts?: Accounts;
  /** Nothing stays that could watch what becomes of the files. */
  readonly isOneShot?: boolean;
  /** The state folder is another's: what that owes for files of its own is left to it. */
  readonly isGuest?: boolean;
  readonly retry?: Partial<Readonly<Record<RetryKind, BackoffLimits>>>;
}

interface PrepareOptions {
  readonly force?: boolean;
  readonly compile?: CompileTemplate | undefined;
  /** Of the config that is taken over. */
  readonly faultOf?: FaultOf | undefined;
}

export interface FilePipeline {
  /** Sweeps, opens every reference and begins to render. Never throws. */
  start(): void;
  /** In the order of the config. */
  status(): FileStatus[];
  /** Of those that are not in place, or have something to be said about them. */
  unwell(): FileTrouble[];
  /** Undefined when no file has this destination. */
  explain(destination: string): FileExplanation | undefined;
  /**
   * Takes over another list of files; those that are the same keep their state. Throws `template_invalid` before
   * anything has changed. `force`: execute every template again, because `secrets` changed. `compile`: parse every one
   * again, by these rules.
   */
  prepare(files: readonly FileConfig[], options?: PrepareOptions): Promise<Prepared<ReconcileResult>>;
  /** Looks at every destination, or at those that use one of `keys`: what others changed or deleted is put right, or told. */
  verify(keys?: readonly string[]): Promise<void>;
  /** Reads the template at `path` again; tells the destinations of those that have another text. */
  reloadTemplates(path: string): Promise<string[]>;
  /** The files of templates, for watching. */
  templatePaths(): string[];
  /** Starts if need be, and resolves when every file is current, has failed, or waits for what is known not to come. */
  renderOnce(signal: AbortSignal, refusals?: Refusals): Promise<RenderResult[]>;
  /**
   * Lets what waits for quiet go ahead, and resolves when no transaction runs or is about to; tries that wait for their time
   * do not count.
   */
  idle(): Promise<void>;
  /** Whether a transaction runs or is about to. */
  isBusy(): boolean;
  /** The first destination that this supervised process is signalled for and that is not in place yet. */
  awaitedBy(process: string): string | undefined;
  /** Calls it at each step of a transaction and for each new list of files, until what it returns is called. */
  listen(listener: () => void): () => void;
  /** What `renderOnce` would change, secrets masked. Only on a pipeline that is not started. */
  diff(signal: AbortSignal, refusals?: Refusals): Promise<FileDiff[]>;
  /** Rehearses on staged copies; throws `not_found` when nothing uses the secret. */
  drill(request: DrillRequest): Promise<DrilledFile[]>;
  /**
   * Ends commands that run, leaves nothing staged, removes FIFOs and what says `remove_on_exit`; waits no longer for a
   * command that does not end than until `signal` is aborted. References stay open: what becomes of leases is for the
   * lease engine's own close.
   */
  close(options: { readonly signal: AbortSignal }): Promise<void>;
}

// Enough to keep four threads of the pool busy without flooding it.
const setsOnDisk = 16;

export function createFilePipeline(options: FilePipelineOptions): FilePipeline {
  const { clock, logger, store } = options;
  const limits = { ...defaultRetryLimits, ...options.retry };
  const abort = new AbortController();
  const changed = createChangePoint();
  const quiet = createQuietTime(clock, queue);
  const register = createFileRegister({ ...options, onChange: quiet.noteChange });
  const tools = createTools(options, register, abort.signal, changed.tell);
  const drift = createDriftWatch({
    ...tools,
    register,
    random: options.random,
    repair: queue,
    isSame: (file) => isAsRendered(file, tools.accounts),
  });
  const queued = new Set<FileSet>();
  const running = new Set<Promise<void>>();
  const locked = new Set<FileSet>();
  let started: Promise<void> | undefined;
  const pumping = createEarliestTimer(clock, pump);

  function queue(set: FileSet): void {
    if (abort.signal.aborted) return;
    queued.add(set);
    if (started !== undefined) pumping.within(0);
  }

  function pump(): void {
    const ready = [...queued].filter((set) => !set.isRunning && !locked.has(set));
    for (const set of ready) queued.delete(set);
    for (const part of partitionBySharedKeys(ready, (set) => setNotifications(set).keys())) run(part);
    if (ready.length === 0) changed.tell();
  }

  function run(sets: readonly FileSet[]): void {
    for (const set of sets) {
      set.isRunning = true;
      set.retry?.cancel();
      Object.assign(set, { retry: undefined, retryAt: undefined });
    }
    const transaction = runTransaction(sets, tools).then((outcomes) => {
      running.delete(transaction);
      for (const outcome of outcomes) conclude(outcome);
      if (queued.size > 0 && !abort.signal.aborted) pumping.within(0);
      changed.tell();
    });
    running.add(transaction);
  }

  function conclude({ set, shouldRetry, wasRolledBack, isUnrendered }: SetOutcome): void {
    set.isRunning = false;
    if (!options.isOneShot) drift.ended(set);
    if (isUnrendered) queue(set);
    if (!shouldRetry || set.failure === undefined || abort.signal.aborted) return;
    const kind = retryKind(set.failure.step, wasRolledBack);
    const delayMs = backoffDelayMs(set.attempts, limits[kind], options.random);
    set.retryAt = clock.wall() + delayMs;
    set.retry = clock.setTimer(delayMs, () => queue(set));
  }

  async function begin(): Promise<void> {
    const recovery = await recover({
      destinations: register.files().map((file) => ownedDestination(file, tools.accounts)),
      ...{ stateFolder: options.stateFolder, isGuest: options.isGuest === true },
      syncFolder: tools.commit.syncFolder,
      logger,
    });
    for (const [destination, journals] of recovery.owed) register.owe(destination, journals);
    if (abort.signal.aborted) return;
    for (const set of register.sets()) queued.add(set);
    pump();
  }

  function start(): Promise<void> {
    started ??= begin().catch((error: unknown) => {
      logger.error(
        {},
        `cannot start to render files: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    return started;
  }

  function isBusy(): boolean {
    return pumping.isPlanned() || running.size > 0;
  }

  async function idle(): Promise<void> {
    await started;
    quiet.flush();
    await until(changed.changes, () => !isBusy());
  }

  /** Waits until no transaction works on these sets, and keeps the next one from beginning. */
  async function lock(sets: Iterable<FileSet>): Promise<() => void> {
    const mine = [...sets];
    for (const set of mine) locked.add(set);
    await until(changed.changes, () => !mine.some((set) => set.isRunning));
    return () => {
      for (const set of mine) locked.delete(set);
      if (queued.size > 0) pumping.within(0);
    };
  }

  return {
    start: () => void start(),
    status: () => register.files().map((file) => fileStatus(file, register.setOf(file))),
    unwell() {
      const found: { readonly file: ManagedFile; readonly set: FileSet }[] = [];
      for (const set of register.sets())
        for (const file of set.files) if (!isWell(file, set)) found.push({ file, set });
      found.sort((a, b) => a.file.order - b.file.order);
      return found.map(({ file, set }) => fileTrouble(file, set));
    },
    explain(destination) {
      const file = register.find(destination);
      return file && explainFile(file, register.setOf(file), store, clock.wall());
    },
    async prepare(files, { force = false, compile, faultOf } = {}) {
      const prepared = await prepareFiles(files, {
        register,
        compile: compile ?? options.compile,
        faultOf,
        lock,
        queue,
        isForced: force,
        isRecompiled: compile !== undefined,
      });
      return {
        abandon: prepared.abandon,
        async commit() {
          const result = await prepared.commit();
          changed.tell();
          return result;
        },
      };
    },
    async verify(keys) {
      await started;
      await drift.look(keys);
    },
    reloadTemplates: register.reloadTemplates,
    templatePaths: () => register.templatePaths(),
    async renderOnce(signal, refusals = noRefusals) {
      await start();
      return watchUntilRendered({ register, store, idle, changes: changed.changes, signal, refusals });
    },
    idle,
    isBusy,
    awaitedBy: (process) =>
      register
        .sets()
        .filter((set) => signalsProcess(set, process))
        .find((set) => !isInPlace(set))?.files[0]?.config.destination,
    listen: changed.changes,
    diff: (signal, refusals = noRefusals) =>
      diffFiles({ register, store, accounts: tools.accounts, signal, refusals }),
    drill: (request) => drillFiles(request, { register, store, tools }),
    async close({ signal }) {
      abort.abort(new LatchkeyError('aborted', 'the agent stops'));
      quiet.close();
      drift.close();
      pumping.cancel();
      changed.tell();
      for (const set of register.sets()) set.retry?.cancel();
      await started;
      await Promise.race([Promise.all(running), untilAborted(signal)]);
      await removeFiles(register.files(), tools);
    },
  };
}

/** Whether every output of the file, rendered from what is known now, stands at its destination. */
async function isAsRendered(file: ManagedFile, accounts: Accounts): Promise<boolean> {
  const execution = file.consumer?.rehearse(() => undefined);
  if (execution === undefined || execution.missing.length > 0) return false;
  for (const output of await outputsOf(file.config, execution, accounts)) {
    if (output.isPipe !== true && !(await isOutputInPlace(output))) return false;
  }
  return true;
}

/** An owner that does not exist now has nothing that could be recovered. */
function ownedDestination({ config }: ManagedFile, accounts: Accounts): OwnedDestination {
  const { destination, owner, place, staging } = config;
  try {
    return { destination, staging, uid: owner === undefined ? undefined : accounts.uid(owner, place) };
  } catch {
    return { destination, staging, uid: undefined };
  }
}

/** Said once until there is one again: a full disk makes every commit go without. */
function createJournalNote({ logger, stateFolder }: FilePipelineOptions): (failure: unknown) => void {
  let isFailing = false;
  return (failure) => {
    if (failure !== undefined && !isFailing) {
      logger.warn(
        { state_dir: stateFolder },
        `a commit goes on without its record, and would not be finished after a crash: ${describeError(failure)}`,
      );
    }
    isFailing = failure !== undefined;
  };
}

function createTools(
  options: FilePipelineOptions,
  register: FileRegister,
  signal: AbortSignal,
  onStep: () => void,
): TransactionTools {
  const notifyLimits = new Map<string, Limit>();
  return {
    clock: options.clock,
    logger: options.logger,
    accounts: options.accounts ?? createAccounts({ clock: options.clock }),
    runCommand: options.runCommand,
    signalProcess: options.signalProcess,
    commit: {
      stateFolder: options.stateFolder,
      syncFolder: createFolderSync(),
      onJournal: createJournalNote(options),
    },
    diskLimit: createLimit(setsOnDisk),
    notifyLimit(key) {
      const known = notifyLimits.get(key) ?? createLimit(1);
      notifyLimits.set(key, known);
      return known;
    },
    observer: options.observer ?? {},
    noteWritten: options.noteWritten,
    signal,
    load: (file: ManagedFile) => register.load(file),
    onStep,
  };
}
