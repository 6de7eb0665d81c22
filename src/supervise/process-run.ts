// One run of a process: from the start of its program to its end, and what a rotation does to it in between (a signal, a
// successor beside it, a stop). When and why it is run again is for supervised-process.ts.

import { describeError, LatchkeyError } from '../base/errors.ts';
import type { RunCommand } from '../base/run-command.ts';
import { linkSignals } from '../base/time/linked-signal.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import { type EnvironmentSource, isSameEnvironment, type Variables } from '../content/environment-source.ts';
import type { Child } from './launch/child.ts';
import { mustBeStartable, type StartTools } from './launch/start-process.ts';
import type { Mailbox } from './mailbox.ts';
import type { ProcessObserver, StartReason } from './process-status.ts';
import type { ProcessView } from './process-view.ts';
import { describeExit, type ProcessExit } from './restart-policy.ts';
import { decideRotation, type RotationDecision, retryWaitMs } from './rotation-policy.ts';
import { beginProcess, healthOf, type RunningProcess } from './running-process.ts';
import { isSameStart } from './same-start.ts';

/** The exits of a process by itself, one after another. */
export interface ExitRow {
  attempts: number;
  /** It counted as started, and has not ended by itself since. */
  isProven: boolean;
  /** The wait before the last start. */
  waitedMs: number;
}

/** Ends again and again before it counts as started: told once, not at each turn. */
export function isLooping({ attempts, isProven }: ExitRow): boolean {
  return attempts > 1 && !isProven;
}

export interface ProcessRunOptions extends StartTools {
  readonly name: string;
  /** What it is to be; may be another at each look. */
  readonly wanted: {
    readonly config: ProcessConfig;
    readonly source: EnvironmentSource;
    /** Somebody asked for it; not any more once it was started since. */
    isRestart: boolean;
  };
  readonly runCommand: RunCommand;
  readonly observer?: ProcessObserver;
  readonly view: ProcessView;
  readonly row: ExitRow;
  /** Poked when what is wanted has changed, or `closing` is aborted. */
  readonly mailbox: Mailbox;
  /** Ends the run: the program is stopped. */
  readonly closing: AbortSignal;
  /** A program that is being stopped is killed. */
  readonly killing: AbortSignal;
}

export type Ending =
  | { readonly kind: 'exit'; readonly exit: ProcessExit; readonly ranMs: number }
  /** The view says why. */
  | { readonly kind: 'not_started' }
  /** It was stopped, to be started again for this reason. */
  | { readonly kind: 'again'; readonly reason: StartReason };

export interface ProcessRun {
  /** Resolves when the program has ended, by itself or because it was stopped, or could not be started. */
  run(variables: Variables, reason: StartReason): Promise<Ending>;
  readonly running: RunningProcess | undefined;
  /** Of all runs so far. */
  readonly starts: number;
  readonly lastExit: ProcessExit | undefined;
}

const probePauseMs = 1000;
/** Without a probe a program counts as started when it has run for so long: what fails at its start fails sooner. */
const leastProofMs = 1000;

export function createProcessRun(options: ProcessRunOptions): ProcessRun {
  const { name, wanted, clock, random, logger, observer, view, row, mailbox, closing } = options;
  const { show } = view;
  let running: RunningProcess | undefined;
  let starts = 0;
  let lastExit: ProcessExit | undefined;
  /** Why it could not be started the last time. */
  let notStarted: string | undefined;

  async function run(variables: Variables, reason: StartReason): Promise<Ending> {
    // Before the start, while the values are those that were read: it may take a moment, and then they may be others.
    wanted.source.hold();
    wanted.isRestart = false;
    try {
      running = await begin(variables, reason);
    } catch (error) {
      const message = describeError(error);
      // Once for each cause: it is tried again and again, and stands in `status`.
      if (options.isForeground !== true)
        logger[message === notStarted ? 'debug' : 'error']({ error: message }, 'process cannot be started');
      notStarted = message;
      show('backoff', message);
      return { kind: 'not_started' };
    }
    return watch(running);
  }

  async function begin(variables: Variables, reason: StartReason): Promise<RunningProcess> {
    const begun = await beginProcess(wanted.config, variables, options);
    notStarted = undefined;
    starts += 1;
    logger[isLooping(row) ? 'debug' : 'info']({ pid: begun.child.pid, reason }, 'process started');
    observer?.started?.(name, reason);
    return begun;
  }

  async function watch(first: RunningProcess): Promise<Ending> {
    let current = first;
    let restartAt = 0;
    void followHealth(current);
    for (;;) {
      mailbox.take();
      const { child } = current;
      if (child.hasExited) {
        running = undefined;
        lastExit = await child.exited;
        return { kind: 'exit', exit: lastExit, ranMs: clock.now() - child.startedAt };
      }
      // A child goes on until the values for its new config are there.
      const isOutdated = !isSameStart(current.config, wanted.config) && wanted.source.current() !== undefined;
      if (closing.aborted || isOutdated) {
        await stop(current);
        return { kind: 'again', reason: 'config' };
      }
      if (wanted.isRestart && clock.now() >= restartAt) {
        if (mayGo(current)) {
          logger.info({ pid: child.pid }, 'its files changed: process is restarted');
          await stop(current);
          return { kind: 'again', reason: 'rotation' };
        }
        restartAt = current.rotateAt ?? 0;
      }
      const decision = rotationOf(current);
      current.rotateAt = decision.rotateAt;
      if (decision.action === 'rotate') {
        const next = await rotate(current);
        if (next === undefined) return { kind: 'again', reason: 'rotation' };
        current = next;
        running = next;
      } else await wake(child, decision.waitMs ?? (wanted.isRestart ? restartAt - clock.now() : undefined));
    }
  }

  /** Until a poke, the child's end, or `ms` have passed. */
  async function wake(child: Child, ms: number | undefined): Promise<void> {
    const timer = ms === undefined ? undefined : clock.setTimer(ms, mailbox.poke);
    await Promise.race([mailbox.wait(), child.exited]);
    timer?.cancel();
  }

  function rotationOf(current: RunningProcess): RotationDecision {
    const values = wanted.source.current();
    const isOther = values !== undefined && !isSameEnvironment(values, current.variables);
    const { onRotation, splayMs } = wanted.config;
    const now = clock.now();
    return decideRotation({ isOther, onRotation, splayMs, rotateAt: current.rotateAt, now, random });
  }

  /** The child that runs then; undefined when it was stopped and is to be started again. */
  async function rotate(current: RunningProcess): Promise<RunningProcess | undefined> {
    const { config, source } = wanted;
    const values = source.current() ?? current.variables;
    const { onRotation } = config;
    const { pid } = current.child;
    current.rotateAt = undefined;
    if (onRotation.kind === 'restart') {
      if (!config.overlapStart && !mayGo(current)) return current;
      logger.info({ pid }, 'values changed: process is restarted');
      if (config.overlapStart) return replace(current, values);
      await stop(current);
      return undefined;
    }
    current.variables = values;
    if (onRotation.kind === 'signal') {
      logger.info({ pid, signal: onRotation.signal }, 'values changed: process is signalled');
      current.child.signal(onRotation.signal);
      source.hold();
    } else logger.info({ pid }, 'values changed: process keeps the old ones until it is restarted');
    return current;
  }

  /** Starts the successor, waits until it is healthy, then stops the old one; if it is not, the old one stays. */
  async function replace(old: RunningProcess, values: Variables): Promise<RunningProcess> {
    let next: RunningProcess | undefined;
    try {
      next = await begin(values, 'rotation');
      const problem = await problemOf(next);
      if (problem !== undefined) {
        throw new LatchkeyError('process_failed', `the new one is not healthy: ${problem}`);
      }
      const now = wanted.source.current();
      if (now !== undefined && isSameEnvironment(now, values)) wanted.source.hold();
      running = next;
      show('running');
      await stopChild(old);
      return next;
    } catch (error) {
      if (next !== undefined) await stopChild(next);
      if (!closing.aborted) keep(old, error);
      return old;
    }
  }

  /** Whether it may be stopped to be started again: not where others have got hold of its program meanwhile. */
  function mayGo(current: RunningProcess): boolean {
    try {
      mustBeStartable(wanted.config, wanted.source.current() ?? current.variables, options);
      return true;
    } catch (error) {
      keep(current, error);
      return false;
    }
  }

  function keep(old: RunningProcess, error: unknown): void {
    old.failedRotations += 1;
    const waitMs = retryWaitMs(old.failedRotations, wanted.config.restart);
    old.rotateAt = clock.now() + waitMs;
    logger.error(
      { error: describeError(error), retry_in_ms: waitMs },
      'rotation failed: the old process stays',
    );
    show('running', `runs with old values: ${describeError(error)}`);
  }

  function problemOf(target: RunningProcess): Promise<string | undefined> {
    const { runCommand } = options;
    return healthOf(target, { clock, runCommand, health: wanted.config.health, closing });
  }

  async function followHealth(target: RunningProcess): Promise<void> {
    const hasProbe = wanted.config.health !== undefined;
    if (row.isProven && !hasProbe) {
      show('running');
      return;
    }
    show('starting', hasProbe ? 'not yet found healthy' : undefined);
    for (;;) {
      const problem = await (hasProbe ? problemOf(target) : outlast(target));
      const isOver = target !== running || target.child.hasExited || closing.aborted;
      if (isOver || view.state === 'stopping') return;
      if (problem === undefined) {
        if (isLooping(row)) logger.info({ pid: target.child.pid }, 'process stays up again');
        row.isProven = true;
        show('running');
        return;
      }
      if (view.state !== 'unhealthy') logger.warn({ reason: problem }, 'process is not healthy');
      show('unhealthy', problem);
      await clock.sleep(probePauseMs, closing).catch(() => undefined); // closed: the loop above sees it
    }
  }

  /** As long as the wait before its start: one that ends again and again must not look well in between. */
  async function outlast({ over }: RunningProcess): Promise<undefined> {
    const either = linkSignals(over, closing);
    const ms = Math.max(leastProofMs, row.waitedMs);
    await clock.sleep(ms, either.signal).catch(() => undefined); // the caller sees the end
    either.release();
  }

  async function stop(current: RunningProcess): Promise<void> {
    show('stopping');
    lastExit = await stopChild(current);
    running = undefined;
  }

  async function stopChild({ child }: RunningProcess): Promise<ProcessExit> {
    const exit = await child.stop({ ...wanted.config.stop, abort: options.killing });
    logger.info({ pid: child.pid, exit: describeExit(exit) }, 'process stopped');
    return exit;
  }

  return {
    run,
    get running() {
      return running;
    },
    get starts() {
      return starts;
    },
    get lastExit() {
      return lastExit;
    },
  };
}
