// Which socket a command asks: the one it was given, else of the config the first unix listener that serves its paths.
import { LatchkeyError } from '../base/errors.ts';
import { socketPathFrom } from '../client/local-client.ts';
import type { ListenerConfig } from '../config/resolved.ts';

export interface SocketOptions {
  socket?: string | undefined;
  config?: string[] | undefined;
}

export async function socketPathOf(options: SocketOptions): Promise<string> {
  if (options.socket === undefined && options.config !== undefined) return socketPathOfConfig(options.config);
  return socketPathFrom(options.socket);
}

export async function socketPathOfConfig(paths: readonly string[]): Promise<string> {
  // Those who were given a socket go without the reader of configs.
  const { loadConfig } = await import('../config/load.ts');
  // What is wrong elsewhere in the file keeps nobody from the agent that runs: its status tells of that, too.
  const path = socketOfListeners(loadConfig(paths, { checks: 'none', isTolerant: true }).listeners);
  if (path !== undefined) return path;
  throw noSocket(() => loadConfig(paths, { checks: 'none' }));
}

/** Where the file cannot be read, that is why it names no socket. */
function noSocket(readStrictly: () => unknown): LatchkeyError {
  try {
    readStrictly();
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    return new LatchkeyError(error.code, error.message, {
      remedy: 'to ask the agent that runs all the same, name its socket with --socket',
    });
  }
  return new LatchkeyError(
    'usage',
    'listeners: the config has no unix listener that serves secrets or admin',
    { remedy: 'add one, or name a socket with --socket' },
  );
}

/** Commands ask for secrets and admin paths; other dialects know neither. */
export function socketOfListeners(listeners: readonly ListenerConfig[]): string | undefined {
  for (const listener of listeners) {
    const isOurs = listener.serve.includes('secrets') || listener.serve.includes('admin');
    if (listener.kind === 'unix' && isOurs) return listener.path;
  }
  return undefined;
}
