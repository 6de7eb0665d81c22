// The life of one process: waits for its values, starts it, keeps it running by the restart policy, and moves it to new
// values as the config says. One loop a process; whoever wants something of it changes the state and pokes the loop.
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import type { Child } from './child.ts';
import { type EnvironmentSource, isSameEnvironment, type Variables } from './environment-source.ts';
import { createMailbox } from './mailbox.ts';
import type { ProcessObserver, ProcessState, ProcessStatus, StartReason } from './process-status.ts';
import { createProcessView } from './process-view.ts';
import { decideRestart, describeExit, isSuccess, type ProcessExit } from './restart-policy.ts';
import { decideRotation, type RotationDecision } from './rotation-policy.ts';
import type { RunCommand } from './run-command.ts';
import { beginProcess, healthOf, type RunningProcess } from './running-process.ts';
import { isSameRestart, isSameStart } from './same-start.ts';
import type { StartTools } from './start-process.ts';

export interface SupervisedProcessOptions extends StartTools {
  readonly config: ProcessConfig;
  readonly source: EnvironmentSource;
  readonly random: () => number;
  readonly runCommand: RunCommand;
  readonly observer?: ProcessObserver;
}

export interface SupervisedProcess {
  start(): void;
  status(): ProcessStatus;
  /**
   * To the program. Before its first start and between two it need not be told of anything; throws `process_failed` when
   * it has ended for good.
   */
  signal(signal: NodeJS.Signals): void;
  /** Takes a new config and, where given, a new source; restarts the child only if what it was started with differs. */
  reconfigure(config: ProcessConfig, source?: EnvironmentSource): void;
  /** Resolves with the last exit when it has ended and will not be started again by itself; never rejects. */
  readonly ended: Promise<ProcessExit>;
  /** Stops it; when `signal` is aborted, kills it. */
  close(options: { signal: AbortSignal }): Promise<void>;
}

type Ending =
  | { readonly kind: 'exit'; readonly exit: ProcessExit; readonly ranMs: number }
  | { readonly kind: 'again'; readonly reason: StartReason };

const probePauseMs = 1000;
/** It reads its files when it starts. */
const isStartedSoon: ReadonlySet<ProcessState> = new Set(['waiting', 'backoff', 'stopping']);
const noExit: ProcessExit = { code: null, signal: null };

export function createSupervisedProcess(options: SupervisedProcessOptions): SupervisedProcess {
  const { clock, random, logger, observer } = options;
  const { name } = options.config;
  let { config, source } = options;
  let running: RunningProcess | undefined;
  let starts = 0;
  let attempts = 0;
  let lastExit: ProcessExit | undefined;
  let loop: Promise<void> | undefined;
  const mailbox = createMailbox();
  const closing = new AbortController();
  const killing = new AbortController();
  const ended = Promise.withResolvers<ProcessExit>();
  let stopListening = source.onChange(mailbox.poke);

  const view = createProcessView({
    name,
    clock,
    observer,
    facts: () => ({ pid: running?.child.pid, starts, lastExit, isRequired: config.isRequired }),
  });
  const { show, status } = view;

  async function live(): Promise<void> {
    let reason: StartReason = 'first';
    while (!closing.signal.aborted) {
      mailbox.take();
      const variables = source.current();
      if (variables === undefined) {
        show('waiting', describeMissing(source));
        await mailbox.wait();
        continue;
      }
      const ending = await runOnce(variables, reason);
      if (closing.signal.aborted) break;
      reason = ending.kind === 'again' ? ending.reason : await afterExit(ending, variables);
    }
    show('stopped');
    ended.resolve(lastExit ?? noExit);
  }

  async function runOnce(variables: Variables, reason: StartReason): Promise<Ending> {
    // Before the start, while the values are those that were read: it may take a moment, and then they may be others.
    source.hold();
    try {
      running = await begin(variables, reason);
    } catch (error) {
      logger.error({ error: describeError(error) }, 'process cannot be started');
      show('backoff', describeError(error));
      return { kind: 'exit', exit: noExit, ranMs: 0 };
    }
    return watch(running);
  }

  async function begin(variables: Variables, reason: StartReason): Promise<RunningProcess> {
    const begun = await beginProcess(config, variables, options);
    starts += 1;
    logger.info({ pid: begun.child.pid, reason }, 'process started');
    observer?.started?.(name, reason);
    return begun;
  }

  /** Resolves when the child has ended, by itself or because it was stopped. */
  async function watch(first: RunningProcess): Promise<Ending> {
    let current = first;
    void followHealth(current);
    for (;;) {
      mailbox.take();
      const { child } = current;
      if (child.hasExited) {
        running = undefined;
        return { kind: 'exit', exit: await child.exited, ranMs: clock.now() - child.startedAt };
      }
      // A child goes on until the values for its new config are there.
      const isOutdated = !isSameStart(current.config, config) && source.current() !== undefined;
      if (closing.signal.aborted || isOutdated) {
        await stop(current);
        return { kind: 'again', reason: 'config' };
      }
      const decision = rotationOf(current);
      current.rotateAt = decision.rotateAt;
      if (decision.action === 'rotate') {
        const next = await rotate(current);
        if (next === undefined) return { kind: 'again', reason: 'rotation' };
        current = next;
        running = next;
      } else await wake(child, decision.waitMs);
    }
  }

  /** Until a poke, the child's end, or `ms` have passed. */
  async function wake(child: Child, ms: number | undefined): Promise<void> {
    const timer = ms === undefined ? undefined : clock.setTimer(ms, mailbox.poke);
    await Promise.race([mailbox.wait(), child.exited]);
    timer?.cancel();
  }

  function rotationOf(current: RunningProcess): RotationDecision {
    const values = source.current();
    const isOther = values !== undefined && !isSameEnvironment(values, current.variables);
    const { onRotation, splayMs } = config;
    const now = clock.now();
    return decideRotation({ isOther, onRotation, splayMs, rotateAt: current.rotateAt, now, random });
  }

  /** The child that runs then; undefined when it was stopped and is to be started again. */
  async function rotate(current: RunningProcess): Promise<RunningProcess | undefined> {
    const values = source.current() ?? current.variables;
    const { onRotation } = config;
    current.rotateAt = undefined;
    if (onRotation.kind === 'restart') {
      logger.info({ pid: current.child.pid }, 'values changed: process is restarted');
      if (config.overlapStart) return replace(current, values);
      await stop(current);
      return undefined;
    }
    current.variables = values;
    if (onRotation.kind === 'signal') {
      logger.info(
        { pid: current.child.pid, signal: onRotation.signal },
        'values changed: process is signalled',
      );
      current.child.signal(onRotation.signal);
      source.hold();
    } else
      logger.info(
        { pid: current.child.pid },
        'values changed: process keeps the old ones until it is restarted',
      );
    return current;
  }

  /** Starts the successor, waits until it is healthy, then stops the old one; if it is not, the old one stays. */
  async function replace(old: RunningProcess, values: Variables): Promise<RunningProcess | undefined> {
    let next: RunningProcess | undefined;
    try {
      next = await begin(values, 'rotation');
      const problem = await problemOf(next);
      if (problem === undefined) {
        const now = source.current();
        if (now !== undefined && isSameEnvironment(now, values)) source.hold();
        running = next;
        show('running');
        await stopChild(old);
        return next;
      }
      throw new LatchkeyError('process_failed', `the new one is not healthy: ${problem}`);
    } catch (error) {
      if (next !== undefined) await stopChild(next);
      if (closing.signal.aborted) return old;
      old.failedRotations += 1;
      const { minBackoffMs, maxBackoffMs } = config.restart;
      const waitMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(20, old.failedRotations - 1));
      old.rotateAt = clock.now() + waitMs;
      logger.error({ error: describeError(error), waitMs }, 'rotation failed: the old process stays');
      show('running', `runs with old values: ${describeError(error)}`);
      return old;
    }
  }

  function problemOf(target: RunningProcess): Promise<string | undefined> {
    const { runCommand } = options;
    return healthOf(target, { clock, runCommand, health: config.health, closing: closing.signal });
  }

  async function followHealth(target: RunningProcess): Promise<void> {
    if (config.health === undefined) {
      show('running');
      return;
    }
    show('starting', 'not yet found healthy');
    for (;;) {
      const problem = await problemOf(target);
      const isOver = target !== running || target.child.hasExited || closing.signal.aborted;
      if (isOver || view.state === 'stopping') return;
      if (problem === undefined) {
        show('running');
        return;
      }
      if (view.state !== 'unhealthy') logger.warn({ reason: problem }, 'process is not healthy');
      show('unhealthy', problem);
      await clock.sleep(probePauseMs, closing.signal).catch(() => undefined); // closed: the loop above sees it
    }
  }

  async function stop(current: RunningProcess): Promise<void> {
    show('stopping');
    lastExit = await stopChild(current);
    running = undefined;
  }

  async function stopChild({ child }: RunningProcess): Promise<ProcessExit> {
    const exit = await child.stop({ ...config.stop, abort: killing.signal });
    logger.info({ pid: child.pid, exit: describeExit(exit) }, 'process stopped');
    return exit;
  }

  async function afterExit(
    { exit, ranMs }: Extract<Ending, { kind: 'exit' }>,
    had: Variables,
  ): Promise<StartReason> {
    const couldStart = exit !== noExit;
    if (couldStart) lastExit = exit;
    const decision = decideRestart({ exit, ranMs, attempts, settings: config.restart, random });
    attempts = decision.attempts;
    const what = couldStart ? `ended with ${describeExit(exit)}` : (view.message ?? 'cannot be started');
    if (decision.action === 'restart') {
      if (couldStart)
        logger.warn({ exit: describeExit(exit), restartInMs: decision.delayMs }, 'process ended');
      show('backoff', `${what}; is started again, ${attempts} in a row`);
      await pause(decision.delayMs);
      return 'exit';
    }
    const isGivenUp = decision.action === 'give_up';
    const isFine = !isGivenUp && isSuccess(exit);
    const message = isGivenUp ? `${what}; given up after ${attempts} in a row` : what;
    logger[isFine ? 'info' : 'error']({ exit: describeExit(exit) }, `process ${message}`);
    show(isGivenUp || !couldStart ? 'failed' : 'exited', message);
    ended.resolve(exit);
    return rest(isGivenUp, had);
  }

  /** Until the config changes or, where it was given up, the values do: they may have been the reason. */
  async function rest(isGivenUp: boolean, had: Variables): Promise<StartReason> {
    const before = config;
    for (;;) {
      mailbox.take();
      const values = source.current();
      const isOther = values !== undefined && !isSameEnvironment(values, had);
      const isNewStart = !isSameStart(before, config) || !isSameRestart(before, config);
      if (closing.signal.aborted || isNewStart || (isGivenUp && isOther)) break;
      await mailbox.wait();
    }
    attempts = 0;
    return isSameStart(before, config) ? 'rotation' : 'config';
  }

  /** Ends early when it is closed or has a new config. */
  async function pause(ms: number): Promise<void> {
    const before = config;
    const end = clock.now() + ms;
    while (clock.now() < end && !closing.signal.aborted && isSameStart(before, config)) {
      mailbox.take();
      const timer = clock.setTimer(end - clock.now(), mailbox.poke);
      await mailbox.wait();
      timer.cancel();
    }
    if (!isSameStart(before, config)) attempts = 0;
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
      if (running?.child.signal(signal) === true || isStartedSoon.has(view.state)) return;
      throw new LatchkeyError('process_failed', `process ${name} does not run (${view.state})`);
    },
    reconfigure(next, nextSource) {
      config = next;
      if (nextSource !== undefined && nextSource !== source) {
        stopListening();
        source.close();
        source = nextSource;
        stopListening = source.onChange(mailbox.poke);
        const values = source.current();
        if (running !== undefined && values !== undefined && isSameEnvironment(values, running.variables))
          source.hold();
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
      source.close();
    },
  };
}

function describeMissing(source: EnvironmentSource): string {
  const missing = source.missing();
  const [first] = missing;
  if (first === undefined) return 'waits for its values';
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  return `waits for ${first.key} (${first.reason})${more}`;
}
