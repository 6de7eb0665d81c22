// `latchkey render`: the files once, for CI, cron and containers; or, with --diff, what would change.
import { type DiffOutcome, diffOnce, renderOnce } from '../../agent/one-shot/one-shot.ts';
import { errorCodes } from '../../api/error-codes.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { createLogger } from '../../base/logger.ts';
import { loadConfig } from '../../config/load.ts';
import { printText, say } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { timeoutSignal } from '../timeout-option.ts';

interface RenderOptions {
  config?: string[] | undefined;
  diff: boolean;
  exitCode: boolean;
  timeout: string;
}

/** With --exit-code: something would change. No other command's failure has this code. */
const differs = 6;

/**
 * 0: every file is current; else the code of the first failure. With --diff: 0 when every file could be made, or with
 * --exit-code where none would change.
 */
export async function runRender(options: RenderOptions): Promise<number> {
  if (options.exitCode && !options.diff)
    throw new LatchkeyError('usage', '--exit-code: expected --diff beside it');
  const stop = stopSignal({ withTerminal: true });
  const config = loadConfig(options.config ?? []);
  const log = createLogger({
    ...config.log,
    // Each file gets its line in the end: on stderr the log would say it twice.
    level: config.log.file === undefined ? 'error' : config.log.level,
  });
  for (const warning of config.warnings) say(`latchkey: warning: ${warning}`);
  const timeout = timeoutSignal(options.timeout);
  const oneShot = { config, log, env: process.env, signal: AbortSignal.any([stop.signal, timeout]) };
  try {
    if (options.diff) {
      const code = showDiffs(await diffOnce(oneShot));
      return code === differs && !options.exitCode ? 0 : code;
    }
    const { failure, messages } = await renderOnce(oneShot);
    for (const line of messages) say(line);
    if (stop.signal.aborted) return stop.exitCode();
    return failure === undefined ? 0 : errorCodes[failure].exit;
  } finally {
    stop.dispose();
  }
}

function showDiffs({ files, warnings }: DiffOutcome): number {
  for (const warning of warnings) say(warning);
  for (const { destination, change, diff, message } of files) {
    printText(diff);
    const why = message === undefined ? '' : `: ${message}`;
    say(`${destination}: ${change === 'none' ? 'no change' : change}${why}`);
  }
  if (files.some(({ change }) => change === 'failed' || change === 'missing')) return 1;
  return files.some(({ change }) => change !== 'none') ? differs : 0;
}
