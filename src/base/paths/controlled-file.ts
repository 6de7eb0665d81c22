// Reads files whose names others control: never waits for a FIFO or a device, follows no link of a stranger's to what is
// not theirs, takes in no more than a limit, and waits no longer than a limit.
import fs, { type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { FaultOf } from '../surroundings.ts';
import { differenceOf, type FilePrint, printOf } from './file-print.ts';
import { type HeldEntry, holdEntry, holdEntrySync } from './held-folder.ts';
import { PathFault, type PathTrust, readingOnly } from './path-trust.ts';
import { type WayPart, wayPart } from './trusted-path.ts';
import { pathIn } from './walk-path.ts';

export interface ControlledFile {
  readonly bytes: Buffer;
  readonly stats: Stats;
  /** Before it was read. */
  readonly print: FilePrint;
  /** Somebody changed it meanwhile. */
  readonly isTorn: boolean;
}

interface ReadOptions {
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  readonly trust?: PathTrust;
  /** Asked of the very file that is read; what it tells is thrown as a `TrustFault`. */
  readonly faultOf?: FaultOf | undefined;
  /** What the file is for, as that is told (default `credential`). */
  readonly role?: string;
  readonly isOfAnother?: boolean;
}

/** Others can change it. Its message has the remedy in it. */
export class TrustFault extends PathFault {
  constructor(message: string) {
    super(message, '');
    this.name = 'TrustFault';
  }
}

const mostAtOnce = 64 * 1024;
const readSome = promisify(fs.read);
const defaultMaxBytes = 1024 * 1024;
const defaultTimeoutMs = 10_000;
const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const readFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/** Of reads that a dead file system holds up: each of them keeps a thread, and a second try would keep another one. */
const stuck = new Set<string>();

/** Throws a PathFault, or what the kernel says. */
export function readControlledFile(path: string, options: ReadOptions = {}): Promise<ControlledFile> {
  const { faultOf, role = 'credential', isOfAnother = false } = options;
  if (faultOf === undefined) return inTime(path, options, readEntry);
  return inTime(path, options, (entry, maxBytes) =>
    readEntry(entry, maxBytes, (file) => {
      const fault = faultOf(path, role, { isOfAnother, way: [...entry.folder.way, file] });
      return fault === undefined ? undefined : new TrustFault(fault);
    }),
  );
}

/** What tells whether the file is still the one that was read, without reading it. */
export function printControlledFile(path: string, options: ReadOptions): Promise<FilePrint> {
  return inTime(path, options, (entry, maxBytes) =>
    inEntry(entry, maxBytes, async ({ fd }) => printOf(fs.fstatSync(fd, { bigint: true }))),
  );
}

/** False where a dead file system holds up whoever looks at the path: then nobody is to wait for it outside of the pool. */
export async function answersInTime(path: string): Promise<boolean> {
  try {
    await inTime(path, {}, async () => undefined);
  } catch {
    // What is wrong with it is not asked here.
  }
  return !stuck.has(path);
}

async function inTime<T>(
  path: string,
  options: ReadOptions,
  read: (entry: HeldEntry, maxBytes: number) => Promise<T>,
): Promise<T> {
  const { maxBytes = defaultMaxBytes, timeoutMs = defaultTimeoutMs, trust = readingOnly } = options;
  const isJudged = options.faultOf !== undefined;
  if (stuck.has(path)) throw tooSlow(path);
  const reading = holdEntry(path, { trust, isJudged }).then((entry) =>
    read(entry, maxBytes).finally(() => entry.folder.release()),
  );
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    stuck.add(path);
    // Whatever it ends with comes too late; the thread is free again.
    reading.catch(() => undefined).finally(() => stuck.delete(path));
    reject(tooSlow(path));
  }, timeoutMs);
  try {
    return await Promise.race([reading, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same at once, without a limit of time: for what the configuration of the agent itself names. */
export function readControlledFileSync(
  path: string,
  options: ReadOptions = {},
): Pick<ControlledFile, 'bytes' | 'stats'> {
  const { maxBytes = defaultMaxBytes, trust = readingOnly } = options;
  const entry = holdEntrySync(path, { trust });
  try {
    return readEntrySync(entry, path, maxBytes);
  } finally {
    entry.folder.release();
  }
}

/** Of a name that is held; in messages it is called `path`. */
export function readEntrySync(
  { folder, name }: HeldEntry,
  path: string,
  maxBytes: number,
): Pick<ControlledFile, 'bytes' | 'stats'> {
  const fd = fs.openSync(folder.entry(name), readFlags);
  try {
    const stats = fs.fstatSync(fd);
    const wrong = contentFault(path, stats, maxBytes);
    if (wrong !== undefined) throw wrong;
    return { bytes: within(readUpToSync(fd, maxBytes + 1), path, maxBytes), stats };
  } finally {
    fs.closeSync(fd);
  }
}

/** The bytes of a held name, if it is a regular file of at most `maxBytes`. */
export function readEntry(
  entry: HeldEntry,
  maxBytes: number,
  judge?: (file: WayPart) => PathFault | undefined,
): Promise<ControlledFile> {
  return inEntry(entry, maxBytes, async (handle, stats, path) => {
    const wrong = judge?.(wayPart(path, stats, `/proc/self/fd/${handle.fd}`));
    if (wrong !== undefined) throw wrong;
    // Of an open file the kernel knows this without a disk.
    const print = printOf(fs.fstatSync(handle.fd, { bigint: true }));
    const bytes = within(await readUpTo(handle.fd, maxBytes + 1), path, maxBytes);
    const after = printOf(fs.fstatSync(handle.fd, { bigint: true }));
    return { bytes, stats, print, isTorn: differenceOf(print, after) !== undefined };
  });
}

async function inEntry<T>(
  { folder, name }: HeldEntry,
  maxBytes: number,
  work: (handle: FileHandle, stats: Stats, path: string) => Promise<T>,
): Promise<T> {
  const handle = await open(folder.entry(name), readFlags);
  try {
    const stats = await handle.stat();
    const path = pathIn(folder.path, name);
    const wrong = contentFault(path, stats, maxBytes);
    if (wrong !== undefined) throw wrong;
    return await work(handle, stats, path);
  } finally {
    await handle.close();
  }
}

/** What a descriptor of this process is called: a pipe of a shell's `<(…)` comes so. */
const ownDescriptor = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/**
 * The bytes of what somebody who starts us names, at once and links followed: a pipe or a device that lies under the name
 * does not keep us waiting, and no file is taken in that is larger than wanted. Throws a PathFault, or what the kernel says.
 */
export function readNamedFileSync(path: string, maxBytes = defaultMaxBytes): Buffer {
  const fd = openNamedFileSync(path, maxBytes);
  try {
    return within(readUpToSync(fd, maxBytes + 1), path, maxBytes);
  } finally {
    fs.closeSync(fd);
  }
}

/** The same for whoever reads it piece by piece, and closes it. */
export function openNamedFileSync(path: string, maxBytes: number): number {
  if (ownDescriptor.test(path)) return fs.openSync(path, O_RDONLY | O_NOCTTY);
  const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  const wrong = contentFault(path, fs.fstatSync(fd), maxBytes);
  if (wrong === undefined) return fd;
  fs.closeSync(fd);
  throw wrong;
}

export function contentFault(path: string, stats: Stats, maxBytes: number): PathFault | undefined {
  if (!stats.isFile()) return new PathFault(`${path} is no regular file`, 'name a regular file');
  return stats.size > maxBytes ? tooLong(path, maxBytes) : undefined;
}

/** What came, which may be more than the size that was told before. */
function within(bytes: Buffer, path: string, maxBytes: number): Buffer {
  if (bytes.length > maxBytes) throw tooLong(path, maxBytes);
  return bytes;
}

function tooLong(path: string, maxBytes: number): PathFault {
  return new PathFault(`${path} has more than ${maxBytes} bytes`, 'name a smaller file');
}

function tooSlow(path: string): PathFault {
  return new PathFault(`${path} could not be read in time`, 'look at the file system that it is on');
}

/**
 * No more than `most` of an open file, from where the descriptor stands, whatever its size was told to be: its owner may make it
 * longer the next moment, and /proc says 0 of files without end. One byte beyond what is wanted tells that there is more.
 */
export function readUpToSync(fd: number, most: number): Buffer {
  const chunks: Buffer[] = [];
  for (let left = most; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(left, mostAtOnce));
    const length = fs.readSync(fd, chunk, 0, chunk.length, null);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    left -= length;
  }
  return joined(chunks);
}

export async function readUpTo(fd: number, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let left = most; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(left, mostAtOnce));
    const { bytesRead } = await readSome(fd, chunk, 0, chunk.length, null);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    left -= bytesRead;
  }
  return joined(chunks);
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
