// A child together with what it was started with and what is still to be done with it, and whether it is healthy.
import type { RunCommand } from '../base/run-command.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import type { Variables } from '../content/environment-source.ts';
import { probeHealth } from './health-probe.ts';
import type { Child } from './launch/child.ts';
import { type StartTools, startProcess } from './launch/start-process.ts';
import { describeExit } from './restart-policy.ts';

export interface RunningProcess {
  readonly child: Child;
  /** What it was started with. */
  readonly config: ProcessConfig;
  /** What it has, or was told of. */
  variables: Variables;
  /** When the rotation that is due is made: monotonic milliseconds. */
  rotateAt: number | undefined;
  /** Failed attempts in a row to start its successor beside it. */
  failedRotations: number;
  /** Aborted when the child has ended. */
  readonly over: AbortSignal;
}

/** Rejects with `process_failed` when the program cannot be started. */
export async function beginProcess(
  config: ProcessConfig,
  variables: Variables,
  tools: StartTools,
): Promise<RunningProcess> {
  const child = await startProcess(config, variables, tools);
  const over = new AbortController();
  void child.exited.then(() => over.abort());
  return { child, config, variables, rotateAt: undefined, failedRotations: 0, over: over.signal };
}

interface HealthTools {
  readonly clock: StartTools['clock'];
  readonly runCommand: RunCommand;
  readonly health: ProcessConfig['health'];
  /** Ends the probing. */
  readonly closing: AbortSignal;
}

/** Probes until it is healthy, its time is over or it has ended; undefined when it is healthy, else why not. */
export async function healthOf(target: RunningProcess, tools: HealthTools): Promise<string | undefined> {
  if (tools.health === undefined) return undefined;
  const signal = AbortSignal.any([target.over, tools.closing]);
  const health = await probeHealth(tools.health, {
    clock: tools.clock,
    runCommand: tools.runCommand,
    signal,
  });
  if (target.child.hasExited) return `it ended with ${describeExit(await target.child.exited)}`;
  return health.isHealthy ? undefined : health.reason;
}
