// Walks a path from `/` by descriptors, one name at a time, and refuses what others have a hand in: see path-trust.ts. One
// walk for both worlds: it asks for its system calls one by one, and its driver does them now or in a thread of the pool.
import { constants, type Stats, statfsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { lastErrnoName, readlinkat } from '../system/libc.ts';
import { folderFault, isMaster, isSharedFolder, linkFault, PathFault, type PathTrust } from './path-trust.ts';
import { type WayPart, wayPart } from './trusted-path.ts';

export interface WalkOptions {
  readonly trust: PathTrust;
  /** Makes folders that are not there, with this mode; on the disk of a network with what the umask leaves of it. */
  readonly createMode?: number;
  /** Refuses links, whoever made them: the path was looked at before, and had none. */
  readonly isReal?: boolean;
  /** Whether what is walked through is to be judged later. */
  readonly isJudged?: boolean;
}

export interface Walking extends WalkOptions {
  /** Takes down all that is walked through. */
  readonly way?: WayPart[] | undefined;
}

/** A folder that was walked to; whoever gets it closes `fd`. */
export interface WalkedFolder {
  readonly fd: number;
  /** Without links. */
  readonly path: string;
  readonly stats: Stats;
}

/** A name in a folder that was walked to, links followed. */
export interface WalkedEntry {
  readonly folder: WalkedFolder;
  readonly name: string;
  readonly existing: Stats | undefined;
}

/** What a walk wants done; the driver answers with its result, or throws into it. */
export type SystemCall =
  | { readonly call: 'open'; readonly path: string; readonly flags: number }
  | { readonly call: 'fstat' | 'close'; readonly fd: number }
  | { readonly call: 'mkdir'; readonly path: string; readonly mode: number };

export type Walk<T> = Generator<SystemCall, T, unknown>;

/** A place in the path where a folder must belong to the one who made the link that led there. */
interface Toll {
  readonly uid: number;
  readonly link: string;
}

interface Position {
  folder: WalkedFolder;
  /** Names still to go, the next one last. */
  readonly pending: (string | Toll)[];
  links: number;
}

/** O_PATH, which Node does not name: opens anything, also links, and gives no right but to go on from there. */
export const openPath = 0o10000000;
const { O_CLOEXEC = 0o2000000, O_NOFOLLOW } = constants as typeof constants & { O_CLOEXEC?: number };
const flags = openPath | O_NOFOLLOW | O_CLOEXEC;
const mostLinks = 40;
const longestLink = 4096;

/** Leads to `name` in the folder of a descriptor, whatever becomes of the folder's own name. */
export function entryPath(fd: number, name: string): string {
  return `/proc/self/fd/${fd}/${name}`;
}

/** Of an absolute path that ends in a name: node:path, which minds all others, takes its time for each letter. */
export function splitPath(path: string): { folder: string; name: string } {
  const cut = path.lastIndexOf('/');
  return { folder: path.slice(0, Math.max(1, cut)), name: path.slice(cut + 1) };
}

/** The path of one name in a folder. */
export function pathIn(folder: string, name: string): string {
  return folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`;
}

/** To a folder. */
export function* walkToFolder(path: string, options: Walking): Walk<WalkedFolder> {
  const at = yield* begin(path, options);
  try {
    for (let name = at.pending.pop(); name !== undefined; name = at.pending.pop()) {
      if (typeof name !== 'string') checkToll(at, name);
      else yield* enter(at, name, options);
    }
    return at.folder;
  } catch (error) {
    yield { call: 'close', fd: at.folder.fd };
    throw error;
  }
}

/** To the last name of a path, which need not be there; follows it if it is a link. */
export function* walkToEntry(path: string, options: Walking): Walk<WalkedEntry> {
  const at = yield* begin(path, options);
  try {
    for (;;) {
      const name = at.pending.pop();
      if (name === undefined) throw fault('EISDIR', `${path} is a folder`);
      if (typeof name !== 'string') checkToll(at, name);
      else if (at.pending.some((next) => typeof next === 'string')) yield* enter(at, name, options);
      else {
        const entry = yield* lookAt(at, name, options);
        if (entry !== undefined) return entry;
      }
    }
  } catch (error) {
    yield { call: 'close', fd: at.folder.fd };
    throw error;
  }
}

function* begin(path: string, options: Walking): Walk<Position> {
  if (!isAbsolute(path)) throw new PathFault(`${path} is no absolute path`, 'begin it with /');
  const at: Position = { folder: yield* root(options), pending: [], links: 0 };
  push(at, path);
  return at;
}

function push({ pending }: Position, path: string): void {
  pending.push(
    ...path
      .split('/')
      .filter((name) => name !== '' && name !== '.')
      .reverse(),
  );
}

function* root(options: Walking): Walk<WalkedFolder> {
  const fd = (yield { call: 'open', path: '/', flags }) as number;
  return yield* checked({ fd, path: '/', stats: (yield { call: 'fstat', fd }) as Stats }, options);
}

/** Closes what it refuses. */
function* checked(folder: WalkedFolder, { trust, way }: Walking): Walk<WalkedFolder> {
  const opened = `/proc/self/fd/${folder.fd}`;
  way?.push(wayPart(folder.path, folder.stats, opened));
  const wrong = folderFault({ ...folder, opened }, trust);
  if (wrong === undefined) return folder;
  yield { call: 'close', fd: folder.fd };
  throw wrong;
}

/** Goes into the folder `name`, or takes up the path of the link that it is. */
function* enter(at: Position, name: string, options: Walking): Walk<void> {
  const opened = yield* openOrMake(at, name, options);
  const { fd, stats } = opened;
  if (stats.isSymbolicLink()) return yield* follow(at, name, opened, options);
  if (!stats.isDirectory()) {
    yield { call: 'close', fd };
    throw fault('ENOTDIR', `${join(at.folder.path, name)} is not a folder`);
  }
  const path = name === '..' ? dirname(at.folder.path) : join(at.folder.path, name);
  yield* move(at, yield* checked({ fd, path, stats }, options));
}

function* openOrMake(
  at: Position,
  name: string,
  { createMode }: WalkOptions,
): Walk<{ fd: number; stats: Stats }> {
  const path = entryPath(at.folder.fd, name);
  let fd: number;
  try {
    fd = (yield { call: 'open', path, flags }) as number;
  } catch (error) {
    if (createMode === undefined || codeOf(error) !== 'ENOENT') throw error;
    try {
      yield { call: 'mkdir', path, mode: createMode };
    } catch (failure) {
      // Made by somebody else meanwhile: looked at like any other.
      if (codeOf(failure) !== 'EEXIST') throw failure;
    }
    fd = (yield { call: 'open', path, flags }) as number;
  }
  return { fd, stats: (yield { call: 'fstat', fd }) as Stats };
}

/** The last name: undefined when it is a link, which is then the path to go on with. */
function* lookAt(at: Position, name: string, options: Walking): Walk<WalkedEntry | undefined> {
  if (name === '..') throw fault('EISDIR', `${join(at.folder.path, name)} is a folder`);
  let fd: number;
  try {
    fd = (yield { call: 'open', path: entryPath(at.folder.fd, name), flags }) as number;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return { folder: at.folder, name, existing: undefined };
  }
  const stats = (yield { call: 'fstat', fd }) as Stats;
  if (stats.isSymbolicLink()) {
    yield* follow(at, name, { fd, stats }, options, true);
    return undefined;
  }
  yield { call: 'close', fd };
  const wrong = entryFault(at.folder, name, stats, options.trust);
  if (wrong !== undefined) throw wrong;
  return { folder: at.folder, name, existing: stats };
}

/** What is wrong with what lies at the end of a path and is no link. */
export function entryFault(
  folder: Pick<WalkedFolder, 'path' | 'stats'>,
  name: string,
  stats: Stats,
  trust: PathTrust,
): Error | undefined {
  const path = join(folder.path, name);
  if (stats.isDirectory()) return fault('EISDIR', `${path} is a folder`);
  if (trust.isForReading || !isSharedFolder(folder.stats) || trust.uids.has(stats.uid)) return undefined;
  return new PathFault(
    `${path} is a file of uid ${stats.uid} in a folder that all can write`,
    `remove ${path}, or choose a folder that only the agent and the owner of the file can write`,
  );
}

function* follow(
  at: Position,
  name: string,
  link: { readonly fd: number; readonly stats: Stats },
  options: Walking,
  isFile = false,
): Walk<void> {
  const { trust, isReal, way } = options;
  const path = join(at.folder.path, name);
  way?.push({ path, stats: link.stats, hasAccessList: false });
  let target: string;
  try {
    at.links += 1;
    if (at.links > mostLinks) throw fault('ELOOP', `${path}: too many links`);
    const wrong = isReal
      ? new PathFault(`${path} has become a link`, 'it is tried again')
      : linkFault(path, link.stats, trust);
    if (wrong !== undefined) throw wrong;
    target = readLink(link.fd);
  } finally {
    yield { call: 'close', fd: link.fd };
  }
  const isLast = isFile && at.pending.length === 0;
  const toll = isMaster(link.stats.uid) ? [] : [{ uid: link.stats.uid, link: path }];
  if (!isLast) at.pending.push(...toll);
  push(at, target);
  // The last name is the file's: the folder before it is what must belong to the link's maker.
  if (isLast) at.pending.splice(1, 0, ...toll);
  if (isAbsolute(target)) yield* move(at, yield* root(options));
}

function checkToll(at: Position, { uid, link }: Toll): void {
  // Folders of processes are their users', and what is in them is the kernel's, or root's where a process wants it so.
  if (at.folder.stats.uid === uid && !isOfKernel(at.folder.fd)) return;
  throw new PathFault(
    `${link} is a link made by uid ${uid}, and what it leads to is not theirs`,
    'let root or the agent make the link, or name what it leads to',
  );
}

const procMagic = 0x9fa0;

function isOfKernel(fd: number): boolean {
  return statfsSync(`/proc/self/fd/${fd}`).type === procMagic;
}

function* move(at: Position, next: WalkedFolder): Walk<void> {
  const { fd } = at.folder;
  at.folder = next;
  yield { call: 'close', fd };
}

/** Of the link itself that is held: its name may be another's by now. */
function readLink(fd: number): string {
  const buffer = Buffer.alloc(longestLink);
  const length = readlinkat(fd, '', buffer, buffer.length);
  if (length < 0) throw fault(lastErrnoName(), 'cannot read a link');
  return buffer.toString('utf8', 0, length);
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
