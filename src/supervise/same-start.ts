// Which changes of a process's config a running child can live with.
import { isDeepStrictEqual } from 'node:util';
import type { ProcessConfig } from '../config/resolved.ts';

/** Whether a child that was started by one config can go on under the other. */
export function isSameStart(a: ProcessConfig, b: ProcessConfig): boolean {
  return a === b || isDeepStrictEqual(startOf(a), startOf(b));
}

/** Whether one that was given up would be given up under the other too. */
export function isSameRestart(a: ProcessConfig, b: ProcessConfig): boolean {
  return isDeepStrictEqual(a.restart, b.restart);
}

function startOf(config: ProcessConfig): unknown {
  const { command, env, passEnv, workingDir, user, group, output, upstream } = config;
  return [command, env, passEnv, workingDir, user, group, output, upstream];
}
