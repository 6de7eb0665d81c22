// `latchkey run -- CMD…`: the program's exit code is ours.
import { exitCodeOfFailure, runWithSecrets } from '../../agent/one-shot/run-with-secrets.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { createLogger } from '../../base/logger.ts';
import { loadConfig } from '../../config/load.ts';
import { reportFailure } from '../exit-code.ts';
import { say } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { timeoutSignal } from '../timeout-option.ts';

interface RunOptions {
  config?: string[] | undefined;
  process?: string | undefined;
  timeout: string;
  watch: boolean;
  socket?: string | undefined;
}

export async function runRun(options: RunOptions, command: readonly string[]): Promise<number> {
  if (command.length === 0 && options.process === undefined) {
    throw new LatchkeyError('usage', 'run: expected a command after --, got none', {
      remedy: 'latchkey run -- CMD ARGS…',
    });
  }
  const configPaths = options.config ?? [];
  const config = loadConfig(configPaths);
  const log = createLogger({
    ...config.log,
    level: config.log.file === undefined ? 'warn' : config.log.level,
  });
  for (const warning of config.warnings) say(`latchkey: warning: ${warning}`);
  const timeout = timeoutSignal(options.timeout);
  const stop = stopSignal();
  try {
    return await runWithSecrets({
      config,
      configPaths,
      command,
      processName: options.process,
      isWatching: options.watch,
      socket: options.socket,
      env: process.env,
      log,
      signal: AbortSignal.any([stop.signal, timeout]),
      onStart: stop.dispose,
    });
  } catch (error) {
    // Told to stop before the program ran: nothing has failed.
    if (stop.signal.aborted) return stop.exitCode();
    const code = exitCodeOfFailure(error);
    if (code === undefined) throw error;
    reportFailure(error);
    return code;
  } finally {
    stop.dispose();
  }
}
