// A destination that is a FIFO: every reader gets the whole value of that moment, and nothing stays on disk. Exact for
// readers one after another; two that open at the same time cannot be served.

import { close, constants, fstat, open } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { errnoOf } from '../../base/system/errno.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type Destination, inFolder } from './destination.ts';
import { replaceByFifo } from './make-fifo.ts';

export interface FifoValue {
  readonly bytes: Buffer;
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface FifoServer {
  /** What readers get from now on; the FIFO is there when it resolves. */
  offer(value: FifoValue): Promise<void>;
  /** What readers get now. */
  current(): FifoValue | undefined;
  /** Removes the FIFO; a reader that waits gets nothing. */
  close(): Promise<void>;
}

interface FifoOptions {
  /** Links followed: see findDestination. */
  readonly destination: Pick<Destination, 'path' | 'folder' | 'name' | 'trust'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Somebody removed the FIFO, or put something else in its place: it is there again. */
  readonly onRestored?: (what: 'deleted' | 'content') => void;
}

// Plain descriptors, because the socket that writes to a reader takes them over.
const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);
const { O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
// The kernel tells nobody that a reader waits: opening without blocking fails until there is one. A blocking open would
// hold one of the few threads that all files share.
const pollMs = 40;
// A reader that stops reading half way is given up.
const slowestReaderMs = 60_000;

export function createFifoServer(options: FifoOptions): FifoServer {
  const { destination, clock, logger } = options;
  const { path, name } = destination;
  const stop = new AbortController();
  const writing = new Set<Socket>();
  let value: FifoValue | undefined;
  let loop: Promise<void> | undefined;

  function replace(next: FifoValue): Promise<void> {
    return inFolder(destination, (folder) => replaceByFifo(folder, name, next));
  }

  async function serve(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        const fd = await openForReader();
        if (fd === undefined) await clock.sleep(pollMs, stop.signal);
        else await answer(fd);
      } catch (error) {
        if (stop.signal.aborted) return;
        logger.warn({ destination: path }, `cannot serve the FIFO: ${describeError(error)}`);
        await clock.sleep(1000, stop.signal).catch(() => undefined);
      }
    }
  }

  /** Undefined when nobody reads. */
  async function openForReader(): Promise<number | undefined> {
    let fd: number;
    try {
      fd = await inFolder(destination, (folder) =>
        openFile(folder.entry(name), O_WRONLY | O_NONBLOCK | O_NOFOLLOW),
      );
    } catch (error) {
      if (errnoOf(error) === 'ENXIO') return undefined;
      if (errnoOf(error) === 'ENOENT' && value !== undefined) {
        await replace(value);
        options.onRestored?.('deleted');
        return undefined;
      }
      throw error;
    }
    if ((await statFile(fd)).isFIFO()) return fd;
    await closeFile(fd);
    if (value !== undefined) {
      await replace(value);
      options.onRestored?.('content');
    }
    return undefined;
  }

  /** The next reader must find another FIFO before this one sees its end, or it would read our rest. */
  async function answer(fd: number): Promise<void> {
    const now = value;
    try {
      if (now !== undefined) await replace(now);
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
    const socket = new Socket({ fd, readable: false, writable: true });
    writing.add(socket);
    socket.setTimeout(slowestReaderMs, () => socket.destroy());
    // A reader that goes away early is no fault of ours.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => writing.delete(socket));
    socket.end(now?.bytes ?? '');
  }

  return {
    async offer(next) {
      const isSameFifo = value?.mode === next.mode && value.uid === next.uid && value.gid === next.gid;
      value = next;
      if (!isSameFifo) await replace(next);
      loop ??= serve();
    },
    current: () => value,
    async close() {
      stop.abort();
      await loop;
      for (const socket of writing) socket.destroy();
      if (value === undefined) return;
      // What is gone already is as it should be.
      await inFolder(destination, (folder) => unlink(folder.entry(name))).catch(() => undefined);
    },
  };
}
