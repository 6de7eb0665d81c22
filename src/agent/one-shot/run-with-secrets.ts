// `latchkey run`: an agent around one program. The program starts when every file and variable is there, gets the
// agent's signals, and its end is the agent's end.
import { LatchkeyError } from '../../base/errors.ts';
import type { LogSink } from '../../base/logger.ts';
import type { ListenerConfig, ProcessConfig, ResolvedConfig } from '../../config/resolved.ts';
import type { EnvironmentSource } from '../../content/environment-source.ts';
import { findProgram, NoProgramError } from '../../supervise/launch/launcher.ts';
import { type RunChildOptions, type RunningChild, runChild } from '../../supervise/launch/run-child.ts';
import { type Agent, type AgentOptions, createAgent } from '../agent.ts';
import { claimStateFolder, StateInUseError } from '../host/state-folder.ts';
import { refusalOf, refusalsOf, untilInPlace } from '../readiness.ts';
import { codeOf } from './one-shot.ts';

export interface RunOptions {
  config: ResolvedConfig;
  configPaths: readonly string[];
  command: readonly string[];
  /** Whose variables the program gets; undefined: of the only process, or none. */
  processName: string | undefined;
  /** Of an agent that runs: secrets come from it, and nothing is written. */
  socket: string | undefined;
  /** A rotation restarts the program, though the config does not say so. */
  isWatching: boolean;
  env: NodeJS.ProcessEnv;
  log: LogSink;
  /** Ends the wait for values: then what is still missing is thrown as `upstream_unavailable`. */
  signal: AbortSignal;
  /** Called when the program is about to start: signals are its own from then on. */
  onStart(): void;
}

/** How soon a change at the agent that serves is seen. */
const askAgainMs = 5000;

/** Resolves to the program's exit code. Throws when its values cannot be had, or when it cannot be started. */
export async function runWithSecrets(options: RunOptions): Promise<number> {
  const { env, log } = options;
  const place = await placeOf(options);
  const program = programOf({ ...options, config: place.config });
  if (place.hasState === false) mustGetSomething(program, place.config);
  mustBeThere(program, env);
  // One program, not the host's: the others run under the agent, and would run twice.
  const config = { ...place.config, processes: [] };
  const { configPaths } = options;
  const agent = await createAgent({
    ...{ ...place, config, configPaths, env, log, canReload: false, role: 'run' },
    obtainsUsedOnly: !config.listeners.some(servesNames),
  });
  let child: RunningChild | undefined;
  for (const { name } of place.config.processes) agent.core.supervisor.attach(name, () => undefined);
  agent.core.supervisor.attach(program.name, (signal) => child?.process.signal(signal));
  try {
    await agent.start();
    await untilFilesAreThere(agent, options.signal);
    const source = (await agent.core.environments.prepare(program, agent.core.rules.compiler()))();
    try {
      await untilInPlace(agent.core, {
        changes: source.onChange,
        signal: options.signal,
        look: () => (source.current() === undefined ? source.missing() : []),
      });
      options.onStart();
      child = runChild(childOptions(options, program, source, agent));
      return await endOf(child, program);
    } finally {
      source.close();
    }
  } finally {
    // No next start goes on with them.
    await agent.close({ isHasty: false, revokes: 'leases' });
  }
}

/** Whoever it serves may ask for any name of the config. */
function servesNames({ serve }: ListenerConfig): boolean {
  return serve.some((dialect) => dialect !== 'metrics');
}

/** Another agent has the files and listeners; a program that gets no variables either would fail later, and say less. */
function mustGetSomething({ env, envFrom }: ProcessConfig, { processes }: ResolvedConfig): void {
  if (Object.keys(env).length + envFrom.length > 0) return;
  const names = processes.map(({ name }) => name).join(', ');
  throw new LatchkeyError('usage', 'run: the config has no secret for this program', {
    remedy:
      processes.length > 1
        ? `choose whose it gets with --process: ${names}`
        : 'give it an entry under `processes` with `env` or `env_from`',
  });
}

/** Told before anything is asked for; with a PATH of its own only the start can tell. */
function mustBeThere({ command: [word = ''], env, workingDir }: ProcessConfig, own: NodeJS.ProcessEnv): void {
  if (env['PATH'] === undefined) findProgram(word, own['PATH'] ?? '', workingDir);
}

function childOptions(
  { config, env, log }: RunOptions,
  program: ProcessConfig,
  source: EnvironmentSource,
  { clock, core }: Agent,
): RunChildOptions {
  const isOfConfig = config.processes.some(({ name }) => name === program.name);
  return {
    ...{ config: program, source, clock, random: Math.random, logger: log.logger, env },
    valuesInUse: core.valuesInUse,
    // A log of its own is where the config wants the lines; else they would be lost among ours, or not be shown.
    ...(config.log.file === undefined ? { writeLine } : {}),
    killAfterMs: isOfConfig ? program.stop.timeoutMs : undefined,
  };
}

/** Throws when it could not be started at all. */
async function endOf({ exitCode, process }: RunningChild, { stop }: ProcessConfig): Promise<number> {
  const code = await exitCode;
  const { lastExit, message } = process.status();
  await process.close({ signal: AbortSignal.timeout(stop.timeoutMs) });
  if (lastExit === undefined && message !== undefined) throw new CannotStartError(message);
  return code;
}

/** As shells, env(1) and nohup(1) tell a program that is not there from one that cannot be started. */
export function exitCodeOfFailure(error: unknown): number | undefined {
  if (error instanceof NoProgramError) return error.isThere ? 126 : 127;
  return error instanceof CannotStartError ? 126 : undefined;
}

/** The program is there, but the system does not start it. */
class CannotStartError extends LatchkeyError {
  constructor(message: string) {
    super('process_failed', message);
    this.name = 'CannotStartError';
  }
}

function writeLine(line: string, stream: 'stdout' | 'stderr'): void {
  process[stream].write(`${line}\n`);
}

/** Beside an agent that lives it writes nothing: what it needs it is given by that agent, where that can be asked. */
async function placeOf({
  config,
  socket,
  log,
}: RunOptions): Promise<Pick<AgentOptions, 'config' | 'hasState'>> {
  if (socket !== undefined) return { config: servedBy(socket, config), hasState: false };
  try {
    const remedy = 'give it a unix listener, so that run can ask it for the secrets';
    (await claimStateFolder({ config, logger: log.logger, remedy })).release();
    return { config };
  } catch (error) {
    if (!(error instanceof StateInUseError)) throw error;
    if (error.socket !== undefined) return { config: servedBy(error.socket, config), hasState: false };
    if (config.files.length > 0) throw error;
    return { config: { ...config, listeners: [] }, hasState: false };
  }
}

/** The same names, of the agent at this socket: files and listeners are its own. */
function servedBy(socket: string, config: ResolvedConfig): ResolvedConfig {
  return {
    ...config,
    upstreams: [{ name: 'agent', kind: 'agent', socket }],
    secrets: config.secrets.map((secret) => ({
      ...secret,
      upstream: 'agent',
      path: secret.name,
      operation: 'read',
      parameters: {},
      statedRefreshMs: undefined,
      refreshMs: askAgainMs,
    })),
    processes: config.processes.map((process) => ({ ...process, upstream: undefined })),
    files: [],
    listeners: [],
    audit: undefined,
  };
}

function programOf({ config, command, processName, isWatching }: RunOptions): ProcessConfig {
  const [only, ...others] = config.processes;
  const base =
    processName === undefined
      ? others.length === 0
        ? only
        : undefined
      : config.processes.find(({ name }) => name === processName);
  if (processName !== undefined && base === undefined) {
    throw new LatchkeyError('usage', `--process: no process is named ${processName}`, {
      remedy: `choose one of ${config.processes.map(({ name }) => name).join(', ') || 'none'}`,
    });
  }
  if (base === undefined) return { ...bareProcess, command };
  // A backup or an import that a rotation begins again has run twice: only who asks for that gets it.
  const isAsked = isWatching || base.isRotationWritten === true;
  return {
    ...base,
    command: command.length > 0 ? command : base.command,
    onRotation: isAsked ? base.onRotation : { kind: 'none' },
    restart: { ...base.restart, onExit: 'never' },
  };
}

/** A program without variables of its own: the clean base environment. */
const bareProcess: ProcessConfig = {
  name: 'run',
  command: [],
  env: {},
  envFrom: [],
  passEnv: [],
  workingDir: undefined,
  user: undefined,
  group: undefined,
  onRotation: { kind: 'none' },
  splayMs: 0,
  stop: { signal: 'SIGTERM', timeoutMs: 10_000 },
  restart: { onExit: 'never', minBackoffMs: 1000, maxBackoffMs: 30_000, maxAttempts: 0 },
  overlapStart: false,
  health: undefined,
  output: 'inherit',
  upstream: undefined,
  isRequired: true,
};

async function untilFilesAreThere({ core }: Agent, signal: AbortSignal): Promise<void> {
  const results = await core.files.renderOnce(signal, refusalsOf(core));
  const failed = results.find(({ outcome }) => outcome === 'failed' || outcome === 'missing');
  if (failed === undefined) return;
  const { destination, message, missing } = failed;
  const said = refusalOf(core, missing[0]?.key ?? '');
  throw new LatchkeyError(
    codeOf(failed, core),
    `${destination}: ${said?.message ?? message ?? 'its secrets did not come'}`,
  );
}
