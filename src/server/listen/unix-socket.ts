// Binds unix sockets: never with wider rights than wanted, never over a socket that somebody listens on. Abstract
// names (`@name`, a leading NUL) have neither file nor rights.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  unlinkSync,
} from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { findGroup, findUser } from '../../base/accounts.ts';
import { errnoOf } from '../../base/errno.ts';
import { LatchkeyError } from '../../base/errors.ts';

export interface UnixAddress {
  /** `listeners[0]`, for messages. */
  readonly place: string;
  /** A path, or `@name`. */
  readonly path: string;
  readonly mode: number;
  readonly user: string | undefined;
  readonly group: string | undefined;
}

/** sizeof(sockaddr_un.sun_path) with its final NUL. */
const longestPathBytes = 107;
/** O_PATH, which Node does not name: a socket cannot be opened otherwise. */
const openPath = 0o10000000;
const connectTimeoutMs = 2000;
/** A full queue gives clients of unix sockets EAGAIN at once; the kernel cuts this to its somaxconn (4096). */
export const listenBacklog = 4096;

/** Starts listening. Rejects with `listener_failed`. */
export async function listenOnUnixSocket(server: Server, address: UnixAddress): Promise<void> {
  const { place, path } = address;
  if (Buffer.byteLength(path) > longestPathBytes) {
    throw failed(place, `${path} is longer than ${longestPathBytes} bytes`, 'choose a shorter path');
  }
  if (path.startsWith('@')) return listenOn(server, `\0${path.slice(1)}`, address);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await removeStaleSocket(address);
  // bind(2) creates the file within listen(), under this umask: closed to all others until owner and mode are right.
  const umask = process.umask(0o177);
  let listening: Promise<void>;
  try {
    listening = listenOn(server, path, address);
  } finally {
    process.umask(umask);
  }
  await listening;
  applyRights(address);
}

/** Owner first: with the final mode in place first, the agent's own group could connect for a moment. */
export function applyRights({ place, path, mode, user, group }: UnixAddress): void {
  if (path.startsWith('@')) return;
  const uid = user === undefined ? -1 : findUser(user)?.uid;
  const gid = group === undefined ? -1 : findGroup(group)?.gid;
  if (uid === undefined) throw failed(place, `user: there is no user ${JSON.stringify(user)}`);
  if (gid === undefined) throw failed(place, `group: there is no group ${JSON.stringify(group)}`);
  let fd: number;
  try {
    fd = openSync(path, openPath | constants.O_NOFOLLOW);
  } catch (error) {
    throw failed(
      place,
      `${path}: cannot set owner and mode: ${errnoOf(error) ?? 'unknown error'}`,
      undefined,
      error,
    );
  }
  try {
    if (!fstatSync(fd).isSocket()) throw failed(place, `${path} is not the socket any more`);
    // The folder may be another user's, who could have put a link in this place: this name leads to what was opened.
    const opened = `/proc/self/fd/${fd}`;
    if (uid !== -1 || gid !== -1) chownSync(opened, uid, gid);
    chmodSync(opened, mode);
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    throw failed(
      place,
      `${path}: cannot set owner and mode: ${errnoOf(error) ?? 'unknown error'}`,
      undefined,
      error,
    );
  } finally {
    closeSync(fd);
  }
}

function listenOn(server: Server, path: string, { place, path: shown }: UnixAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: Error): void => {
    const isTaken = errnoOf(error) === 'EADDRINUSE';
    const what = isTaken
      ? `${shown} is in use by another process`
      : `cannot listen on ${shown}: ${errnoOf(error) ?? 'unknown error'}`;
    reject(failed(place, what, isTaken ? 'stop it or choose another path' : undefined, error));
  };
  server.once('error', onError);
  server.listen({ path, backlog: listenBacklog }, () => {
    server.off('error', onError);
    resolve();
  });
  return promise;
}

async function removeStaleSocket({ place, path }: UnixAddress): Promise<void> {
  let status: ReturnType<typeof lstatSync>;
  try {
    status = lstatSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw failed(place, `cannot look at ${path}: ${errnoOf(error) ?? 'unknown error'}`, undefined, error);
  }
  if (!status?.isSocket()) {
    throw failed(place, `${path} exists and is no socket`, 'remove it or choose another path');
  }
  const answer = await tryConnect(path);
  if (answer === 'ENOENT') return;
  if (answer !== 'ECONNREFUSED') {
    const what =
      answer === 'connected' ? 'in use by another process' : `there and cannot be tried: ${answer}`;
    throw failed(place, `${path} is ${what}`, 'stop it or choose another path');
  }
  try {
    unlinkSync(path);
  } catch (error) {
    throw failed(
      place,
      `cannot remove the stale socket ${path}: ${errnoOf(error) ?? 'unknown error'}`,
      undefined,
      error,
    );
  }
}

function tryConnect(path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ path, timeout: connectTimeoutMs });
  socket.on('connect', () => resolve('connected'));
  // A full backlog keeps us waiting: somebody is there.
  socket.on('timeout', () => resolve('connected'));
  socket.on('error', (error) => resolve(errnoOf(error) ?? 'unknown error'));
  return promise.finally(() => socket.destroy());
}

function failed(place: string, what: string, remedy?: string, cause?: unknown): LatchkeyError {
  return new LatchkeyError('listener_failed', `${place}.unix: ${what}`, {
    cause,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
