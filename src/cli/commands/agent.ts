// `latchkey agent`: runs until TERM or INT. HUP reloads, USR1 asks upstream for everything now.
import { parseArgs } from 'node:util';
import { createAgent } from '../../agent/agent.ts';
import { createLogger } from '../../base/logger.ts';
import { loadConfig } from '../../config/load.ts';
import { reportFailure } from '../exit-code.ts';
import { stopSignal, untilAborted } from '../stop-signal.ts';

interface AgentOptions {
  config?: string[] | undefined;
}

/** As `runAgent`, from the words after `agent`; never throws. Undefined when they are not plainly right. */
export async function runAgentFrom(args: readonly string[]): Promise<number | undefined> {
  const options = parsePlain(args);
  if (options === undefined) return undefined;
  try {
    return await runAgent(options);
  } catch (error) {
    return reportFailure(error);
  }
}

function parsePlain(args: readonly string[]): AgentOptions | undefined {
  try {
    return parseArgs({ args: [...args], options: { config: { type: 'string', multiple: true } } }).values;
  } catch {
    // The parser of all commands says what is wrong, in the words of all commands.
    return undefined;
  }
}

export async function runAgent(options: AgentOptions): Promise<number> {
  const stop = stopSignal();
  const paths = options.config ?? [];
  const config = loadConfig(paths);
  const log = createLogger(config.log);
  const agent = await createAgent({ config, configPaths: paths, env: process.env, log });
  const onHangup = () => void agent.reload({ reopenLogs: true }).catch(() => undefined); // logged by the agent
  const onUser = () => void agent.refresh().catch(() => undefined); // logged by the agent
  process.on('SIGHUP', onHangup);
  process.on('SIGUSR1', onUser);
  try {
    await agent.start();
    const failure = await Promise.race([agent.failed, agent.quitting, untilAborted(stop.signal)]);
    return failure instanceof Error ? reportFailure(failure) : 0;
  } finally {
    await agent.close({ isHasty: stop.signal.reason === 'SIGINT' });
    process.off('SIGHUP', onHangup);
    process.off('SIGUSR1', onUser);
    stop.dispose();
  }
}
