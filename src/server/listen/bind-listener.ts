// Puts a server on its address: unix socket, TCP port, or a descriptor from systemd.
import type { Server } from 'node:net';
import { LatchkeyError } from '../../base/errors.ts';
import { isLoopback } from '../../base/system/local-address.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import { mustTellDescriptors } from '../node-internals/socket-internals.ts';
import type { ActivatedSockets } from './socket-activation.ts';
import { applyRights, listenBacklog, listenOnUnixSocket } from './unix-socket.ts';

export interface BindContext {
  readonly sockets: ActivatedSockets;
}

/** Rejects with `listener_failed`, naming the place in the config and the remedy. What it gives is called after the close. */
export async function bindListener(
  server: Server,
  config: ListenerConfig,
  { sockets }: BindContext,
): Promise<() => void> {
  if (config.kind === 'unix') {
    await listenOnUnixSocket(server, config);
    mustTellDescriptors(server, config.place);
  }
  if (config.kind === 'tcp') await listenOnPort(server, config);
  if (config.kind !== 'systemd') return () => undefined;
  const { fd, giveBack } = sockets.take(config.place, config.name);
  try {
    await listen(server, { fd }, config.place, `the socket ${config.name}`);
  } catch (error) {
    giveBack();
    throw error;
  }
  if (typeof server.address() === 'string' || server.address() === null) {
    mustTellDescriptors(server, config.place);
    return giveBack;
  }
  giveBack();
  throw new LatchkeyError(
    'listener_failed',
    `${keyAt(config.place, 'systemd')}: ${config.name} is a TCP socket, expected a unix one`,
    {
      remedy: 'for TCP use a listener with tcp and token_file',
    },
  );
}

/** Of a socket that stays: its rights may have changed. */
export function refreshBinding(config: ListenerConfig): void {
  if (config.kind === 'unix') applyRights(config);
}

function listenOnPort(server: Server, config: ListenerConfig & { kind: 'tcp' }): Promise<void> {
  const { place, host, port, allowRemote, tls } = config;
  if (host !== 'localhost' && !isLoopback(host) && !(allowRemote && tls !== undefined)) {
    const message = `${keyAt(place, 'tcp')}: expected a loopback address such as 127.0.0.1, got ${host}`;
    const remedy = 'set allow_remote and tls to serve other hosts';
    return Promise.reject(new LatchkeyError('listener_failed', message, { remedy }));
  }
  return listen(server, { host, port }, keyAt(place, 'tcp'), `${host}:${port}`);
}

function listen(
  server: Server,
  address: { host: string; port: number } | { fd: number },
  place: string,
  shown: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: NodeJS.ErrnoException): void => {
    const isTaken = error.code === 'EADDRINUSE';
    const what = isTaken
      ? `${shown} is in use by another process`
      : `cannot listen on ${shown}: ${error.code}`;
    const remedy = isTaken ? { remedy: 'stop it or choose another port' } : {};
    reject(new LatchkeyError('listener_failed', `${place}: ${what}`, { cause: error, ...remedy }));
  };
  server.once('error', onError);
  server.listen({ ...address, backlog: listenBacklog }, () => {
    server.off('error', onError);
    resolve();
  });
  return promise;
}
