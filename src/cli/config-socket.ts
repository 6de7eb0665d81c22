// Which socket a command asks: the one it was given, else the first unix listener of the config it was given.
import { LatchkeyError } from '../base/errors.ts';
import { loadConfig } from '../config/load.ts';
import { socketPathFrom } from './local-client.ts';

export interface SocketOptions {
  socket?: string | undefined;
  config?: string[] | undefined;
}

export async function socketPathOf(options: SocketOptions): Promise<string> {
  if (options.socket === undefined && options.config !== undefined) return socketPathOfConfig(options.config);
  return socketPathFrom(options.socket);
}

export async function socketPathOfConfig(paths: readonly string[]): Promise<string> {
  const { listeners } = loadConfig(paths, { checks: 'none' });
  for (const listener of listeners) if (listener.kind === 'unix') return listener.path;
  throw new LatchkeyError('usage', 'listeners: the config has no unix listener to ask', {
    remedy: 'add one, or name a socket with --socket',
  });
}
