// Binds unix sockets: never with wider rights than wanted, never over a socket that somebody listens on. Abstract
// names (`@name`, a leading NUL) have neither file nor rights.

import { lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { basename, dirname } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { type HeldFolder, holdFolderSync } from '../../base/paths/held-folder.ts';
import { PathFault, pathErrorText, trusting } from '../../base/paths/path-trust.ts';
import { setSocketRights } from '../../base/paths/socket-rights.ts';
import { findGroup, findUser } from '../../base/system/accounts.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { longestSocketPath } from '../../base/system/unix-address.ts';
import { keyAt } from '../../base/text/key-at.ts';

export interface UnixAddress {
  /** `listeners[0]`, for messages. */
  readonly place: string;
  /** A path, or `@name`. */
  readonly path: string;
  readonly mode: number;
  readonly user: string | undefined;
  readonly group: string | undefined;
}

const connectTimeoutMs = 2000;
/** A full queue gives clients of unix sockets EAGAIN at once; the kernel cuts this to its somaxconn (4096). */
export const listenBacklog = 4096;

/** Starts listening. Rejects with `listener_failed`. */
export async function listenOnUnixSocket(server: Server, address: UnixAddress): Promise<void> {
  const { place, path } = address;
  if (Buffer.byteLength(path) > longestSocketPath) {
    throw failed(place, `${path} is longer than ${longestSocketPath} bytes`, 'choose a shorter path');
  }
  if (path.startsWith('@')) return listenOn(server, `\0${path.slice(1)}`, address);
  const folder = hold(address, 0o755);
  try {
    await removeStaleSocket(address, folder);
    await bindIn(folder, server, address);
  } catch (error) {
    folder.release();
    throw error;
  }
  applyRights(address);
}

/**
 * Under its path where only root and the agent can move it; else in the very folder that was looked at, which is held until
 * the server is closed: libuv removes the name by which it was bound.
 */
async function bindIn(folder: HeldFolder, server: Server, address: UnixAddress): Promise<void> {
  const { path } = address;
  const isOurs = isOnlyOurs(path);
  if (isOurs) folder.release();
  else server.once('close', () => folder.release());
  // bind(2) creates the file within listen(), under this umask: closed to all others until owner and mode are right.
  const umask = process.umask(0o177);
  let listening: Promise<void>;
  try {
    listening = listenOn(server, isOurs ? path : folder.entry(basename(path)), address);
  } finally {
    process.umask(umask);
  }
  await listening;
}

function isOnlyOurs(path: string): boolean {
  try {
    const folder = holdFolderSync(dirname(path), { trust: trusting() });
    folder.release();
    return true;
  } catch {
    return false;
  }
}

/** Owner first: with the final mode in place first, the agent's own group could connect for a moment. */
export function applyRights(address: UnixAddress): void {
  const { place, path, mode, user, group } = address;
  if (path.startsWith('@')) return;
  const uid = uidOf(place, user);
  const gid = group === undefined ? -1 : findGroup(group)?.gid;
  if (gid === undefined) throw failed(place, `group: there is no group ${JSON.stringify(group)}`);
  const folder = hold(address);
  try {
    setSocketRights(folder, basename(path), { uid, gid, mode });
  } catch (error) {
    throw failed(place, `${path}: cannot set owner and mode: ${pathErrorText(error)}`, undefined, error);
  } finally {
    folder.release();
  }
}

function uidOf(place: string, user: string | undefined): number {
  const uid = user === undefined ? -1 : findUser(user)?.uid;
  if (uid === undefined) throw failed(place, `user: there is no user ${JSON.stringify(user)}`);
  return uid;
}

/** The socket's user may have a hand in its path; nobody else beside root and the agent. */
function hold({ place, path, user }: UnixAddress, createMode?: number): HeldFolder {
  const trust = trusting(uidOf(place, user));
  try {
    return holdFolderSync(dirname(path), createMode === undefined ? { trust } : { trust, createMode });
  } catch (error) {
    const remedy = error instanceof PathFault ? error.remedy : undefined;
    throw failed(place, `${path}: ${pathErrorText(error)}`, remedy, error);
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

async function removeStaleSocket({ place, path }: UnixAddress, folder: HeldFolder): Promise<void> {
  const entry = folder.entry(basename(path));
  let status: ReturnType<typeof lstatSync>;
  try {
    status = lstatSync(entry);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw failed(place, `cannot look at ${path}: ${errnoOf(error) ?? 'unknown error'}`, undefined, error);
  }
  if (!status?.isSocket()) {
    throw failed(place, `${path} exists and is no socket`, 'remove it or choose another path');
  }
  const answer = await tryConnect(entry);
  if (answer === 'ENOENT') return;
  if (answer !== 'ECONNREFUSED') {
    const what =
      answer === 'connected' ? 'in use by another process' : `there and cannot be tried: ${answer}`;
    throw failed(place, `${path} is ${what}`, 'stop it or choose another path');
  }
  try {
    unlinkSync(entry);
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
  return new LatchkeyError('listener_failed', `${keyAt(place, 'unix')}: ${what}`, {
    cause,
    remedy,
  });
}
