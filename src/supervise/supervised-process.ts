// The life of one process: waits for its values, runs it, and runs it again by the restart policy or for new values. One
// loop a process; whoever wants something of it changes the state and pokes the loop. A single run is process-run.ts.

import { describeError, LatchkeyError } from '../base/errors.ts';
import type { RunCommand } from '../base/run-command.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import {
  describeMissing,
  type EnvironmentSource,
  isSameEnvironment,
  type Variables,
} from '../content/environment-source.ts';
import type { BackgroundProcess } from './launch/find-background.ts';
import type { StartTools } from './launch/start-process.ts';
import { createMailbox } from './mailbox.ts';
import { createProcessRun, type Ending, type ExitRow, isLooping } from './process-run.ts';
import type { ProcessObserver, ProcessState, ProcessStatus, StartReason } from './process-status.ts';
import { createProcessView } from './process-view.ts';
import { decideRestart, describeExit, isSuccess, type ProcessExit } from './restart-policy.ts';
import { isSameRestart, isSameStart } from './same-start.ts';

export interface SupervisedProcessOptions extends StartTools {
  readonly config: ProcessConfig;
  readonly source: EnvironmentSource;
  readonly runCommand: RunCommand;
  readonly observer?: ProcessObserver;
}

export interface SupervisedProcess {
  start(): void;
  status(): ProcessStatus;
  /**
   * To the program. Before its first start and between two it need not be told of anything; throws `process_failed` when
   * it has ended for good. `restart` stops it and starts it again.
   */
  signal(signal: NodeJS.Signals | 'restart'): void;
  /** Takes a new config and, where given, a new source; restarts the child only if what it was started with differs. */
  reconfigure(config: ProcessConfig, source?: EnvironmentSource): void;
  /** Resolves with the last exit when it has ended and will not be started again by itself; never rejects. */
  readonly ended: Promise<ProcessExit>;
  /** Stops it; when `signal` is aborted, kills it. */
  close(options: { signal: AbortSignal }): Promise<void>;
}

/** It reads its files when it starts. */
const isStartedSoon: ReadonlySet<ProcessState> = new Set(['waiting', 'backoff', 'stopping']);
const noExit: ProcessExit = { code: null, signal: null };

export function createSupervisedProcess(options: SupervisedProcessOptions): SupervisedProcess {
  const { clock, random, logger, observer } = options;
  const { name } = options.config;
  const wanted = { config: options.config, source: options.source, isRestart: false };
  const row: ExitRow = { attempts: 0, isProven: false, waitedMs: 0 };
  let loop: Promise<void> | undefined;
  const mailbox = createMailbox();
  const closing = new AbortController();
  const killing = new AbortController();
  const ended = Promise.withResolvers<ProcessExit>();
  let stopListening = wanted.source.onChange(mailbox.poke);

  const view = createProcessView({
    name,
    clock,
    observer,
    facts: () => ({
      pid: program.running?.child.pid,
      starts: program.starts,
      lastExit: program.lastExit,
      isRequired: wanted.config.isRequired,
    }),
  });
  const { show, status } = view;
  const program = createProcessRun({
    ...options,
    name,
    wanted,
    view,
    row,
    mailbox,
    closing: closing.signal,
    killing: killing.signal,
  });

  async function live(): Promise<void> {
    let reason: StartReason = 'first';
    while (!closing.signal.aborted) {
      mailbox.take();
      const variables = wanted.source.current();
      if (variables === undefined) {
        show('waiting', describeMissing(wanted.source));
        await mailbox.wait();
        continue;
      }
      const ending = await program.run(variables, reason);
      if (closing.signal.aborted) break;
      reason = ending.kind === 'again' ? ending.reason : await afterExit(ending, variables);
    }
    show('stopped');
    ended.resolve(program.lastExit ?? noExit);
  }

  async function afterExit(ending: Exclude<Ending, { kind: 'again' }>, had: Variables): Promise<StartReason> {
    const couldStart = ending.kind === 'exit';
    const { exit, ranMs } = couldStart ? ending : { exit: noExit, ranMs: 0 };
    const decision = decideRestart({
      ...{ exit, ranMs, attempts: row.attempts, random },
      settings: wanted.config.restart,
    });
    const wasLooping = isLooping(row);
    row.attempts = decision.attempts;
    row.isProven = false;
    if (exit.background !== undefined) return wentAway(exit.background, exit, had);
    const what = couldStart ? `ended with ${describeExit(exit)}` : (view.message ?? 'cannot be started');
    if (decision.action === 'restart') {
      const fields = { event: 'process.ended', exit: describeExit(exit), restart_in_ms: decision.delayMs };
      const told = isLooping(row) ? 'process ended again; told no more until it stays up' : 'process ended';
      if (couldStart) logger[wasLooping ? 'debug' : 'warn'](fields, told);
      row.waitedMs = decision.delayMs;
      show('backoff', `${what}; is started again, ${row.attempts} in a row`);
      await pause(decision.delayMs);
      return 'exit';
    }
    const isGivenUp = decision.action === 'give_up';
    const isFine = !isGivenUp && isSuccess(exit);
    const message = isGivenUp ? `${what}; given up after ${row.attempts} in a row` : what;
    const level = options.isForeground === true ? 'debug' : isFine ? 'info' : 'error';
    logger[level]({ event: 'process.ended', exit: describeExit(exit) }, `process ${message}`);
    show(isGivenUp || !couldStart ? 'failed' : 'exited', message);
    ended.resolve(exit);
    return rest(isGivenUp, had);
  }

  /** Started again it would meet itself; what it left behind is nobody's here. */
  function wentAway({ pid, name: left }: BackgroundProcess, exit: ProcessExit, had: Variables) {
    const message = `went into the background as pid ${pid} (${left}), where nothing supervises it; start it in the foreground`;
    logger.error({ event: 'process.ended', pid }, `process ${message}`);
    show('failed', message);
    ended.resolve(exit);
    return rest(false, had);
  }

  /** Until the config changes or, where it was given up, the values do: they may have been the reason. */
  async function rest(isGivenUp: boolean, had: Variables): Promise<StartReason> {
    const before = wanted.config;
    for (;;) {
      mailbox.take();
      const values = wanted.source.current();
      const isOther = values !== undefined && !isSameEnvironment(values, had);
      const isNewStart = !isSameStart(before, wanted.config) || !isSameRestart(before, wanted.config);
      if (closing.signal.aborted || isNewStart || (isGivenUp && isOther)) break;
      await mailbox.wait();
    }
    row.attempts = 0;
    return isSameStart(before, wanted.config) ? 'rotation' : 'config';
  }

  /** Ends early when it is closed or has a new config. */
  async function pause(ms: number): Promise<void> {
    const before = wanted.config;
    const end = clock.now() + ms;
    while (clock.now() < end && !closing.signal.aborted && isSameStart(before, wanted.config)) {
      mailbox.take();
      const timer = clock.setTimer(end - clock.now(), mailbox.poke);
      await mailbox.wait();
      timer.cancel();
    }
    if (!isSameStart(before, wanted.config)) row.attempts = 0;
  }

  function notRunning(): LatchkeyError {
    return new LatchkeyError('process_failed', `process ${name} does not run (${view.state})`);
  }

  return {
    ended: ended.promise,
    status,
    start() {
      loop ??= live().catch((error: unknown) => {
        logger.error({ error: describeError(error) }, 'supervision of the process failed');
        show('failed', describeError(error));
      });
    },
    signal(signal) {
      if (signal === 'restart') {
        if (program.running === undefined && !isStartedSoon.has(view.state)) throw notRunning();
        wanted.isRestart = program.running !== undefined;
        mailbox.poke();
        return;
      }
      if (program.running?.child.signal(signal) === true || isStartedSoon.has(view.state)) return;
      throw notRunning();
    },
    reconfigure(next, nextSource) {
      wanted.config = next;
      if (nextSource !== undefined && nextSource !== wanted.source) {
        stopListening();
        wanted.source.close();
        wanted.source = nextSource;
        stopListening = nextSource.onChange(mailbox.poke);
        const values = nextSource.current();
        const { running } = program;
        if (running !== undefined && values !== undefined && isSameEnvironment(values, running.variables))
          nextSource.hold();
      }
      mailbox.poke();
    },
    async close({ signal }) {
      if (signal.aborted) killing.abort();
      signal.addEventListener('abort', () => killing.abort(), { once: true });
      closing.abort();
      mailbox.poke();
      await loop;
      stopListening();
      wanted.source.close();
    },
  };
}
