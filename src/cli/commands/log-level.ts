// `latchkey log-level [LEVEL] [--for 10m]`: what the agent logs at least, told or changed while it runs.
import type { LogStatus } from '../../api/status.ts';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import { parseDuration } from '../../base/time/duration.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { printJson, say } from '../output.ts';

interface LogLevelOptions extends SocketOptions {
  level?: string | undefined;
  for?: string | undefined;
  json: boolean;
}

export async function runLogLevel(options: LogLevelOptions): Promise<number> {
  const { level } = options;
  const forSeconds = secondsOf(options);
  const client = createTypedClient(await socketPathOf(options));
  const log =
    level === undefined
      ? (await client.status()).log
      : await client.logLevel(level, forSeconds === undefined ? {} : { for_seconds: forSeconds });
  if (options.json) printJson(log);
  else say(sentence(log));
  return 0;
}

function secondsOf({ level, for: text }: LogLevelOptions): number | undefined {
  if (text === undefined) return undefined;
  if (level === undefined || level === 'config')
    throw new LatchkeyError('usage', '--for: expected a level that counts for so long');
  try {
    return Math.max(1, Math.ceil(parseDuration(text) / 1000));
  } catch (error) {
    throw new LatchkeyError('usage', `--for: ${describeError(error)}`, { cause: error });
  }
}

function sentence({ level, config_level: configLevel, until }: LogStatus): string {
  if (until !== null) return `${level} until ${until}, then ${configLevel} as the config says`;
  if (level === configLevel) return `${level}, as the config says`;
  return `${level} until the next reload, then ${configLevel} as the config says`;
}
