// From a process's config and its variables to a running child: who it runs as, its environment, where its output goes.

import { createLiveMask } from '../../base/mask/output-mask.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { Surroundings } from '../../base/surroundings.ts';
import { findUser } from '../../base/system/accounts.ts';
import { probeSetpriv } from '../../base/system/setpriv.ts';
import { isOwnUser } from '../../config/resolve/check-modes.ts';
import { mustBeOurs } from '../../config/resolve/must-be-ours.ts';
import type { ProcessConfig } from '../../config/resolved.ts';
import type { Variables } from '../../content/environment-source.ts';
import { type Child, type ChildOptions, startChild } from './child.ts';
import { addVariables, baseEnvironment } from './environment.ts';
import { findProgram, type Launch, planLaunch, resolveIdentity } from './launcher.ts';
import { openTerminal, terminalsAmong } from './terminal.ts';

export interface StartTools extends Surroundings {
  /** Values, beside the variables of the process, that must not be seen in output that goes to the log. */
  readonly valuesInUse: () => readonly SecretValue[];
  /** For a child in the foreground: it reads the agent's input. */
  readonly stdin?: 'ignore' | 'inherit';
  /** For a child that shares the terminal: no session of its own. */
  readonly isLeader?: boolean;
  /** Where masked lines go, where not to the log. */
  readonly writeLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Somebody who waits in front of it sees its end by themselves: no line of ours about it. */
  readonly isForeground?: boolean;
}

/** What would be started. Rejects with `process_failed` when the program, its user or its environment cannot be had. */
export async function planStart(
  config: ProcessConfig,
  variables: Variables,
  ownEnv: Readonly<NodeJS.ProcessEnv>,
): Promise<Launch> {
  const setpriv = await probeSetpriv();
  const identity = resolveIdentity(config.user, config.group);
  const env = addVariables(baseEnvironment(ownEnv, config.passEnv, identity.user), variables);
  const [program = '', ...args] = config.command;
  const path = findProgram(program, env['PATH'] ?? '', config.workingDir);
  // What is found here is what root can reach; another user's own look-up comes when the program is started.
  const isOther = identity.user !== undefined || identity.groupId !== undefined;
  return planLaunch([isOther ? program : path, ...args], env, identity, setpriv);
}

/** Throws `process_failed` where others can change its program. */
export function mustBeStartable(
  config: ProcessConfig,
  variables: Variables,
  { env, faultOf }: Pick<StartTools, 'env' | 'faultOf'>,
): void {
  if (faultOf === undefined) return;
  const path = variables.get('PATH')?.text() ?? baseEnvironment(env, config.passEnv)['PATH'];
  const isOfAnother = !isOwnUser(config);
  mustBeOurs(config.command, {
    env: { PATH: path },
    workingDir: config.workingDir,
    faultOf: (file, role) => faultOf(file, role, { isOfAnother }),
  });
}

/** Rejects with `process_failed` when the program cannot be started. */
export async function startProcess(
  config: ProcessConfig,
  variables: Variables,
  tools: StartTools,
): Promise<Child> {
  const { logger, clock, stdin, isLeader } = tools;
  const launch = await planStart(config, variables, tools.env);
  mustBeStartable(config, variables, tools);
  return startOnTerminal(config, launch, tools, {
    workingDir: config.workingDir,
    output:
      config.output === 'inherit'
        ? 'inherit'
        : (tools.writeLine ?? ((line, stream) => logger.info({ event: 'process.said', stream }, line))),
    looksForBackground: tools.isForeground !== true,
    mask: createLiveMask([...secretsOf(config, variables)], tools.valuesInUse),
    clock,
    ...(stdin === undefined ? {} : { stdin }),
    ...(isLeader === undefined ? {} : { isLeader }),
  });
}

/** A program of another user has a session of its own in any case, and a terminal of its own where it would have ours. */
async function startOnTerminal(
  config: ProcessConfig,
  launch: Launch,
  { stdin }: StartTools,
  options: Omit<ChildOptions, keyof Launch>,
): Promise<Child> {
  if (launch.handover === undefined) return startChild({ ...options, ...launch });
  const isInherited = options.output === 'inherit';
  const isTty = terminalsAmong([stdin === 'inherit', isInherited, isInherited]);
  if (!isTty.includes(true)) return startChild({ ...options, ...launch, isLeader: true });
  const uid = config.user === undefined ? 0 : (findUser(config.user)?.uid ?? 0);
  const terminal = openTerminal(uid, isTty);
  const words = terminal.lead(launch.words);
  try {
    const child = await startChild({ ...options, ...launch, words, isLeader: true, terminal, isTty });
    terminal.attach(child.exited);
    return child;
  } catch (error) {
    terminal.abandon();
    throw error;
  }
}

/** Plain text from the config (`LEVEL: debug`) is no secret; what a template made may be one. */
function* secretsOf(config: ProcessConfig, variables: Variables): Generator<SecretValue> {
  for (const [name, value] of variables) {
    const plain = config.env[name];
    if (typeof plain !== 'string' || plain.includes('{{')) yield value;
  }
}
