// Folders held by a descriptor: what is done to a name in one is done in this very folder, whatever becomes of its path.
// Node's own calls take the names of `entry`; never let one of them follow a link there.
import fs, { type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { BoundedMap } from '../bounded-map.ts';
import { errnoOf } from '../system/errno.ts';
import { isLocalDevice, learnDevice } from './local-device.ts';
import { type WayPart, wayPart } from './trusted-path.ts';
import {
  entryFault,
  entryPath,
  type SystemCall,
  splitPath,
  type Walk,
  type WalkedFolder,
  type Walking,
  type WalkOptions,
  walkToEntry,
  walkToFolder,
} from './walk-path.ts';

export interface HeldFolder {
  /** Without links; for messages and records. */
  readonly path: string;
  readonly stats: Stats;
  /** What was walked through, where that was wanted. */
  readonly way: readonly WayPart[];
  /** Leads to the name in this folder. One component; the call must not follow links. */
  entry(name: string): string;
  release(): void;
}

export interface HeldEntry {
  readonly folder: HeldFolder;
  readonly name: string;
  /** What was there, links followed; undefined: nothing. */
  readonly existing: Stats | undefined;
}

/** Several hold one descriptor, at a time or one after another; after this a path is walked again for the next one. */
const freshMs = 100;
/** How many folders are kept so at a time: descriptors are few. */
const mostKept = 64;

interface Shared {
  readonly way: readonly WayPart[];
  readonly walked: Promise<WalkedFolder>;
  users: number;
  isKept: boolean;
  /** It is kept no longer. */
  drop(walked?: WalkedFolder): void;
}
const kept = new Map<string, Shared>();
/** Paths by whether all that they led through was local the last time: then they are walked at once. */
const localPaths = new BoundedMap<string, boolean>(4096);

/** Throws a PathFault, or what the kernel says. */
export async function holdFolder(path: string, options: WalkOptions): Promise<HeldFolder> {
  const one = sharedFor(path, options);
  one.users += 1;
  const walked = await one.walked;
  const release = (): void => {
    one.users -= 1;
    closeUnused(one, walked);
  };
  if (!one.isKept) return held(walked, one.way, release);
  const stats = fs.fstatSync(walked.fd);
  if (stats.nlink > 0) return held(walked, asNow(one.way, walked, stats), release);
  // One that was kept may have been removed meanwhile, and another one may be in its place.
  one.drop(walked);
  release();
  return holdFolder(path, options);
}

/** Nothing is looked up again on the way to a folder that is held, but in itself things are: its mode counts as it is now. */
function asNow(way: readonly WayPart[], { fd, path }: WalkedFolder, stats: Stats): readonly WayPart[] {
  return way.length === 0 ? way : [...way.slice(0, -1), wayPart(path, stats, `/proc/self/fd/${fd}`)];
}

function sharedFor(path: string, options: WalkOptions): Shared {
  const { trust, createMode = '', isReal = false, isJudged = false } = options;
  const { isForReading = false, hasOwnLinksOnly = false } = trust;
  const uids = Array.from(trust.uids).join();
  const key = `${uids} ${isForReading} ${hasOwnLinksOnly} ${createMode} ${isReal} ${isJudged} ${path}`;
  const before = kept.get(key);
  if (before !== undefined) return before;
  const walking = takingDown(options);
  const one: Shared = {
    way: walking.way ?? [],
    walked: drive(path, walkToFolder(path, walking)),
    users: 0,
    isKept: kept.size < mostKept,
    drop(walked) {
      if (!one.isKept) return;
      if (kept.get(key) === one) kept.delete(key);
      one.isKept = false;
      if (walked !== undefined) closeUnused(one, walked);
    },
  };
  if (!one.isKept) return one;
  kept.set(key, one);
  one.walked.then(
    (walked) => setTimeout(one.drop, freshMs, walked).unref(),
    // What was refused may be mended the next moment.
    () => one.drop(),
  );
  return one;
}

function closeUnused(one: Shared, { fd }: WalkedFolder): void {
  if (one.users === 0 && !one.isKept) fs.closeSync(fd);
}

/** The folder of a path that need not be there, links of it followed. */
export async function holdEntry(path: string, options: WalkOptions): Promise<HeldEntry> {
  const { folder: place, name } = splitPath(path);
  if (path.startsWith('/') && name !== '' && name !== '.' && name !== '..') {
    const folder = await holdFolder(place, options);
    try {
      const existing = await lookAt(folder, name);
      if (!existing?.isSymbolicLink()) {
        const wrong = existing && entryFault(folder, name, existing, options.trust);
        if (wrong !== undefined) throw wrong;
        return { folder, name, existing };
      }
    } catch (error) {
      folder.release();
      throw error;
    }
    folder.release();
  }
  const walking = takingDown(options);
  const entry = await drive(path, walkToEntry(path, walking));
  return { ...entry, folder: held(entry.folder, walking.way, () => fs.closeSync(entry.folder.fd)) };
}

function takingDown(options: WalkOptions): Walking {
  return options.isJudged === true ? { ...options, way: [] } : options;
}

/** What the name is, links not followed. */
async function lookAt({ stats, entry }: HeldFolder, name: string): Promise<Stats | undefined> {
  if (isLocalDevice(stats.dev)) return fs.lstatSync(entry(name), { throwIfNoEntry: false });
  try {
    return await inPool.lstat(entry(name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function holdFolderSync(path: string, options: WalkOptions): HeldFolder {
  const walked = driveSync(walkToFolder(path, options));
  return held(walked, undefined, () => fs.closeSync(walked.fd));
}

export function holdEntrySync(path: string, options: WalkOptions): HeldEntry {
  const walking = takingDown(options);
  const entry = driveSync(walkToEntry(path, walking));
  return { ...entry, folder: held(entry.folder, walking.way, () => fs.closeSync(entry.folder.fd)) };
}

function held(
  { fd, path, stats }: WalkedFolder,
  way: readonly WayPart[] | undefined,
  close: () => void,
): HeldFolder {
  let isHeld = true;
  return {
    path,
    stats,
    way: way ?? [],
    entry: (name) => entryPath(fd, name),
    release() {
      if (isHeld) close();
      isHeld = false;
    },
  };
}

const inPool = {
  open: promisify(fs.open),
  mkdir: promisify(fs.mkdir),
  lstat: promisify(fs.lstat),
};

async function drive<T>(path: string, walk: Walk<T>): Promise<T> {
  const wasLocal = localPaths.get(path) === true;
  let isLocal = true;
  let step = walk.next();
  while (!step.done) {
    const wanted = step.value;
    let answer: unknown;
    try {
      const isAtOnce = isLocal && (wasLocal || wanted.call === 'mkdir');
      answer = isAtOnce ? callNow(wanted) : await callInPool(wanted);
      if (wanted.call === 'fstat') {
        const { dev } = answer as Stats;
        await learnDevice({ fd: wanted.fd, dev });
        isLocal &&= isLocalDevice(dev);
        // Something else is mounted there, or a link leads elsewhere by now; remembered also where the walk fails.
        if (wasLocal && !isLocal) localPaths.set(path, false);
      }
    } catch (error) {
      step = walk.throw(error);
      continue;
    }
    step = walk.next(answer);
  }
  localPaths.set(path, isLocal);
  return step.value;
}

function callInPool(wanted: SystemCall): unknown {
  if (wanted.call === 'open') return inPool.open(wanted.path, wanted.flags);
  if (wanted.call === 'mkdir') return inPool.mkdir(wanted.path, wanted.mode);
  // Neither waits for a disk; of a network's, or a program's, the kernel may ask again what it was just told.
  return callNow(wanted);
}

function driveSync<T>(walk: Walk<T>): T {
  let step = walk.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = callNow(step.value);
    } catch (error) {
      step = walk.throw(error);
      continue;
    }
    step = walk.next(answer);
  }
  return step.value;
}

function callNow(wanted: SystemCall): unknown {
  if (wanted.call === 'open') return fs.openSync(wanted.path, wanted.flags);
  if (wanted.call === 'mkdir') return makeFolder(wanted.path, wanted.mode);
  if (wanted.call === 'fstat') return fs.fstatSync(wanted.fd);
  return fs.closeSync(wanted.fd);
}

/** With this very mode: under a unit's `UMask=0077` who owns a file in it could not go in. */
function makeFolder(path: string, mode: number): void {
  const umask = process.umask(0o777 & ~mode);
  try {
    fs.mkdirSync(path, mode);
  } finally {
    process.umask(umask);
  }
}
