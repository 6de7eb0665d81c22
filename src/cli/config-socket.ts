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
  const path = socketOfListeners(loadConfig(paths, { checks: 'none' }).listeners);
  if (path !== undefined) return path;
  throw new LatchkeyError(
    'usage',
    'listeners: the config has no unix listener that serves secrets or admin',
    {
      remedy: 'add one, or name a socket with --socket',
    },
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
