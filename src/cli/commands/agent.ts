// `latchkey agent`: runs until TERM or INT, or until its config says that it is done. HUP reloads, USR1 asks upstream for
// everything now.
import { parseArgs } from 'node:util';
import { type Agent, createAgent } from '../../agent/agent.ts';
import { writePidFile } from '../../agent/host/pid-file.ts';
import { untilLifeEnds } from '../../agent/life.ts';
import { createLogger } from '../../base/logger.ts';
import { untilAborted } from '../../base/time/aborted.ts';
import { type LoadOptions, loadConfig } from '../../config/load.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';
import { reportFailure } from '../exit-code.ts';
import { stopSignal } from '../stop-signal.ts';

interface AgentOptions {
  config?: string[] | undefined;
}

/** As `runAgent`, from the words after `agent`; never throws. Undefined when they are not plainly right. */
export async function runAgentFrom(args: readonly string[]): Promise<number | undefined> {
  let isTheirs = false;
  try {
    const options = parsePlain(args);
    if (options !== undefined) return await runAgent(options);
    isTheirs = true;
    const { parseAgentFlags } = await import('../foreign/agent-flags.ts');
    const theirs = parseAgentFlags(args, process.env);
    return theirs && (await runAgent(theirs, theirs.load));
  } catch (error) {
    const code = reportFailure(error);
    // A unit of theirs knows one code for everything that goes wrong.
    return isTheirs ? 1 : code;
  }
}

function parsePlain(args: readonly string[]): AgentOptions | undefined {
  // `-config=FILE` of Vault Agent is no `-c` with what comes after the letter.
  if (args.some((word) => /^-c./.test(word))) return undefined;
  try {
    // `-c` is what AWS's agent calls it.
    const config = { type: 'string', multiple: true, short: 'c' } as const;
    return parseArgs({ args: [...args], options: { config } }).values;
  } catch {
    // The parser of all commands says what is wrong, in the words of all commands.
    return undefined;
  }
}

/** `only` leaves a part of what the config says; then it is not read again, and has no state. `told` says why the agent ends, and with what. */
export async function runAgent(
  options: AgentOptions,
  load: LoadOptions = {},
  only?: (config: ResolvedConfig) => ResolvedConfig,
  told: (error: unknown) => number = reportFailure,
): Promise<number> {
  const stop = stopSignal();
  const asked = listenToSignals();
  const paths = options.config ?? [];
  const loaded = loadConfig(paths, load);
  const config = only?.(loaded) ?? loaded;
  const log = createLogger(config.log);
  const agent = await createAgent({
    ...{ config, configPaths: paths, load, env: process.env, log },
    ...(only === undefined ? {} : { canReload: false, hasState: false }),
  });
  const over = new AbortController();
  let removePidFile: (() => void) | undefined;
  let revokes: 'all' | undefined;
  asked.of(agent);
  try {
    await agent.start();
    removePidFile = writePidFile(config.life.pidFile);
    const lifeEnds = untilLifeEnds(agent, config.life, over.signal);
    lifeEnds.catch(() => undefined); // aborted below, when something else came first
    const quit = agent.quitting.then(({ revoke }) => {
      if (revoke) revokes = 'all';
    });
    const end = await Promise.race([agent.failed, quit, untilAborted(stop.signal), lifeEnds]);
    if (typeof end === 'number') return end;
    return end instanceof Error ? told(end) : 0;
  } finally {
    over.abort();
    await agent.close({ isHasty: stop.signal.reason === 'SIGINT', revokes });
    removePidFile?.();
    asked.dispose();
    stop.dispose();
  }
}

interface AskedBySignal {
  /** From now on, and what was asked before. */
  of(agent: Agent): void;
  dispose(): void;
}

/**
 * HUP reads the config again, USR1 asks for all secrets; what becomes of it the agent logs. From the first moment on, or a
 * signal at the start would end the program.
 */
function listenToSignals(): AskedBySignal {
  let agent: Agent | undefined;
  const early = new Set<() => void>();
  const onHangup = () => {
    if (agent === undefined) early.add(onHangup);
    else agent.reload({ reopenLogs: true }).catch(() => undefined); // logged
  };
  const onUser = () => {
    if (agent === undefined) early.add(onUser);
    else agent.refresh().catch(() => undefined); // logged
  };
  process.on('SIGHUP', onHangup);
  process.on('SIGUSR1', onUser);
  return {
    of(one) {
      agent = one;
      for (const ask of early) ask();
    },
    dispose() {
      process.off('SIGHUP', onHangup);
      process.off('SIGUSR1', onUser);
    },
  };
}
