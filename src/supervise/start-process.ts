// From a process's config and its variables to a running child: who it runs as, its environment, where its output goes.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { ProcessConfig } from '../config/resolved.ts';
import { type Child, startChild } from './child.ts';
import { addVariables, baseEnvironment } from './environment.ts';
import type { Variables } from './environment-source.ts';
import { findProgram, launchWords, probeSetpriv, resolveIdentity } from './launcher.ts';
import { createLiveMask } from './output-mask.ts';

export interface StartTools {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The agent's own environment. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Values, beside the variables of the process, that must not be seen in output that goes to the log. */
  readonly valuesInUse: () => readonly SecretValue[];
  /** For a child in the foreground: it reads the agent's input. */
  readonly stdin?: 'ignore' | 'inherit';
  /** For a child that shares the terminal: no session of its own. */
  readonly isLeader?: boolean;
}

/** Rejects with `process_failed` when the program cannot be started. */
export async function startProcess(
  config: ProcessConfig,
  variables: Variables,
  tools: StartTools,
): Promise<Child> {
  const { logger, clock, env, stdin, isLeader } = tools;
  const setpriv = await probeSetpriv();
  const identity = resolveIdentity(config.user, config.group);
  const base = baseEnvironment(env, config.passEnv, identity.user);
  const environment = addVariables(base, variables);
  const [program = '', ...args] = config.command;
  const path = findProgram(program, environment['PATH'] ?? '', config.workingDir);
  return startChild({
    words: launchWords([path, ...args], identity, setpriv),
    env: environment,
    workingDir: config.workingDir,
    output: config.output === 'inherit' ? 'inherit' : (line, stream) => logger.info({ stream }, line),
    mask: createLiveMask([...secretsOf(config, variables)], tools.valuesInUse),
    clock,
    ...(stdin === undefined ? {} : { stdin }),
    ...(isLeader === undefined ? {} : { isLeader }),
  });
}

/** Plain text from the config (`LEVEL: debug`) is no secret; what a template made may be one. */
function* secretsOf(config: ProcessConfig, variables: Variables): Generator<SecretValue> {
  for (const [name, value] of variables) {
    if (config.env[name] === undefined || config.env[name].includes('{{')) yield value;
  }
}
