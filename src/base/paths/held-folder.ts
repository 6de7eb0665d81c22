// Folders held by a descriptor: what is done to a name in one is done in this very folder, whatever becomes of its path.
// Node's own calls take the names of `entry`; never let one of them follow a link there.
import fs, { type Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from '../errno.ts';
import {
  entryFault,
  entryPath,
  type SystemCall,
  type Walk,
  type WalkedFolder,
  type WalkOptions,
  walkToEntry,
  walkToFolder,
} from './walk-path.ts';

export interface HeldFolder {
  /** Without links; for messages and records. */
  readonly path: string;
  readonly stats: Stats;
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

/** Several at a time hold one descriptor together; one that is older than this is walked to again for the next. */
const freshMs = 100;
interface Shared {
  readonly walked: Promise<WalkedFolder>;
  readonly since: number;
  users: number;
}
const shared = new Map<string, Shared>();

/** Throws a PathFault, or what the kernel says. */
export async function holdFolder(path: string, options: WalkOptions): Promise<HeldFolder> {
  const key = JSON.stringify([
    path,
    [...options.trust.uids],
    options.trust.isForReading,
    options.createMode,
    options.isReal,
  ]);
  let one = shared.get(key);
  if (one === undefined || performance.now() - one.since > freshMs) {
    one = { walked: drive(walkToFolder(path, options)), since: performance.now(), users: 0 };
    shared.set(key, one);
  }
  const mine = one;
  mine.users += 1;
  const letGo = (): void => {
    mine.users -= 1;
    if (mine.users === 0 && shared.get(key) === mine) shared.delete(key);
  };
  let walked: WalkedFolder;
  try {
    walked = await mine.walked;
  } catch (error) {
    letGo();
    throw error;
  }
  return held(walked, () => {
    letGo();
    if (mine.users === 0) fs.closeSync(walked.fd);
  });
}

/** The folder of a path that need not be there, links of it followed. */
export async function holdEntry(path: string, options: WalkOptions): Promise<HeldEntry> {
  const name = basename(path);
  const isPlain = path.endsWith(`/${name}`) && name !== '.' && name !== '..';
  if (isPlain) {
    const folder = await holdFolder(dirname(path), options);
    try {
      const existing = await lookAt(folder.entry(name));
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
  const entry = await drive(walkToEntry(path, options));
  return { ...entry, folder: held(entry.folder, () => fs.closeSync(entry.folder.fd)) };
}

async function lookAt(path: string): Promise<Stats | undefined> {
  try {
    return await inPool.lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function holdFolderSync(path: string, options: WalkOptions): HeldFolder {
  const walked = driveSync(walkToFolder(path, options));
  return held(walked, () => fs.closeSync(walked.fd));
}

export function holdEntrySync(path: string, options: WalkOptions): HeldEntry {
  const entry = driveSync(walkToEntry(path, options));
  return { ...entry, folder: held(entry.folder, () => fs.closeSync(entry.folder.fd)) };
}

function held({ fd, path, stats }: WalkedFolder, close: () => void): HeldFolder {
  let isHeld = true;
  return {
    path,
    stats,
    entry: (name) => entryPath(fd, name),
    release() {
      if (isHeld) close();
      isHeld = false;
    },
  };
}

const inPool = {
  open: promisify(fs.open),
  fstat: promisify(fs.fstat),
  mkdir: promisify(fs.mkdir),
  lstat: promisify(fs.lstat),
};

async function drive<T>(walk: Walk<T>): Promise<T> {
  let step = walk.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = await callInPool(step.value);
    } catch (error) {
      step = walk.throw(error);
      continue;
    }
    step = walk.next(answer);
  }
  return step.value;
}

function callInPool(wanted: SystemCall): unknown {
  if (wanted.call === 'open') return inPool.open(wanted.path, wanted.flags);
  if (wanted.call === 'mkdir') return inPool.mkdir(wanted.path, wanted.mode);
  // Neither waits for a disk or a network: what was opened by O_PATH is known to the kernel.
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
  if (wanted.call === 'mkdir') return fs.mkdirSync(wanted.path, wanted.mode);
  if (wanted.call === 'fstat') return fs.fstatSync(wanted.fd);
  return fs.closeSync(wanted.fd);
}
