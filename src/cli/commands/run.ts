// `latchkey run -- CMD…`: the program's exit code is ours.
import { runWithSecrets } from '../../agent/run-command.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { createLogger } from '../../base/logger.ts';
import { loadConfig } from '../../config/load.ts';
import { stopSignal } from '../stop-signal.ts';

interface RunOptions {
  config?: string[] | undefined;
  process?: string | undefined;
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
  const stop = stopSignal();
  return runWithSecrets({
    config,
    configPaths,
    command,
    processName: options.process,
    env: process.env,
    log,
    signal: stop.signal,
    onStart: stop.dispose,
  }).finally(stop.dispose);
}
