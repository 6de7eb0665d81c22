// Tells when something happens to names in folders, with one watch a folder (inotify(7)). A folder that is not there, or goes
// away, is waited for in the nearest one above that is; the folders and links on the way are watched for being replaced.
import { type FSWatcher, readlinkSync, realpathSync, watch } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { describeError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { inodeOf } from './file-print.ts';
import { lookAt, lookExactly } from './look-at.ts';

export interface FolderWatch {
  /** From now on these paths and whatever comes into these folders, and nothing else. */
  set(paths: Iterable<string>, folders?: Iterable<string>): void;
  close(): void;
}

interface Options {
  /** Something happened to one of the paths, or to a folder above it. */
  readonly onEvent: (path: string) => void;
  readonly logger: Logger;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly identity: string;
}

/** Kubernetes turns one link, `..data`, for all files of a volume. */
const volumeLink = /^\.\./;

/** What others do in a folder that is watched for a name on the way alone: more of it is not worth being woken for each. */
const mostNoise = { events: 1000, inMs: 10_000 };
/** How long such a folder is left alone then. */
const leftAloneMs = 600_000;
/**
 * Whoever turns a link without end has all folders behind it looked at: never without a pause, in which other work is done and
 * which is so many times as long as the look before it took.
 */
const pause = { leastMs: 5, times: 10 };

export function createFolderWatch({ onEvent, logger }: Options): FolderWatch {
  /** By folder, the names that are wanted of it. */
  let wanted = new Map<string, Set<string>>();
  /** Of which any name is wanted. */
  let whole = new Set<string>();
  const open = new Map<string, Watched>();
  /** By watched folder, the missing ones that are waited for in it, and those on the way that may be replaced. */
  let awaited = new Map<string, Set<string>>();
  let hasFailed = false;
  /** Folders that are watched for what stands on the way alone, each with what others have done there since. */
  let above = new Map<string, { since: number; events: number }>();
  /** Those in which others did too much. */
  const leftAlone = new Set<string>();
  let look: NodeJS.Timeout | undefined;
  /** Monotonic, in milliseconds. */
  let restsUntil = 0;

  function onChange(folder: string, name: string | null): void {
    if (name !== null && awaited.get(folder)?.has(name) !== true && isTooNoisy(folder)) leaveAlone(folder);
    const names = wanted.get(folder);
    // The folder itself has gone or moved, or the kernel does not tell what it was.
    const isItself = name === null || name === basename(folder);
    // The kernel's watch ends with the folder that it is on.
    if (isItself) forget(folder);
    if (isItself || awaited.get(folder)?.has(name) === true) lookSoon();
    if (names === undefined) return;
    if (name === null || volumeLink.test(name)) tellAll([folder]);
    if (name !== null && (names.has(name) || whole.has(folder))) onEvent(join(folder, name));
  }

  function lookSoon(): void {
    look ??= setTimeout(
      () => {
        look = undefined;
        const begun = performance.now();
        tellAll(sync());
        const now = performance.now();
        restsUntil = now + (now - begun) * pause.times;
      },
      Math.max(pause.leastMs, restsUntil - performance.now()),
    ).unref();
  }

  function isTooNoisy(folder: string): boolean {
    const noise = above.get(folder);
    if (noise === undefined) return false;
    const now = performance.now();
    if (now - noise.since > mostNoise.inMs) Object.assign(noise, { since: now, events: 0 });
    noise.events += 1;
    return noise.events > mostNoise.events;
  }

  function leaveAlone(folder: string): void {
    logger.debug({ folder }, 'others write here all the time: what stands here is looked at now and then');
    leftAlone.add(folder);
    forget(folder);
    setTimeout(() => {
      leftAlone.delete(folder);
      sync();
      tellAll(wanted.keys());
    }, leftAloneMs).unref();
  }

  function watchFolder(folder: string, identity: string, isAboveOnly: boolean): void {
    try {
      const watcher = watch(folder, (_event, name) => onChange(folder, name));
      watcher.on('error', () => forget(folder));
      open.set(folder, { watcher, identity });
      hasFailed &&= isAboveOnly;
    } catch (error) {
      // Who may pass a folder need not be able to read it.
      if (isAboveOnly) return;
      if (!hasFailed) {
        logger.warn(
          { folder },
          `cannot watch the folder, it is looked at now and then: ${describeError(error)}`,
        );
      }
      hasFailed = true;
    }
  }

  function forget(folder: string): void {
    open.get(folder)?.watcher.close();
    open.delete(folder);
  }

  function tellAll(folders: Iterable<string>): void {
    for (const folder of folders) for (const name of wanted.get(folder) ?? []) onEvent(join(folder, name));
  }

  /** Brings the watches in line with what is wanted and what is there; the folders that came or went. */
  function sync(): Set<string> {
    const other = new Set<string>();
    const needed = new Map<string, string>();
    const isAwaited = (folder: string, name: string) =>
      awaited.set(folder, (awaited.get(folder) ?? new Set()).add(name));
    awaited = new Map();
    for (const folder of wanted.keys()) {
      const { path, identity, missing } = nearestThere(folder);
      needed.set(path, identity);
      if (missing !== undefined) isAwaited(path, missing);
    }
    const before = above;
    above = new Map();
    const alsoNeeded = new Map<string, string>();
    for (const { folder, name, identity } of namesOnTheWay(needed.keys())) {
      isAwaited(folder, name);
      if (needed.has(folder) || leftAlone.has(folder)) continue;
      alsoNeeded.set(folder, identity);
      above.set(folder, before.get(folder) ?? { since: performance.now(), events: 0 });
    }
    for (const [folder, { identity }] of open)
      if ((needed.get(folder) ?? alsoNeeded.get(folder)) !== identity) forget(folder);
    for (const [folder, identity] of [...needed, ...alsoNeeded]) {
      if (open.has(folder)) continue;
      watchFolder(folder, identity, above.has(folder));
      other.add(folder);
    }
    for (const folder of wanted.keys()) if (!needed.has(folder)) other.add(folder);
    return other;
  }

  return {
    set(paths, folders = []) {
      const before = wanted;
      whole = new Set(folders);
      wanted = new Map([...whole].map((folder) => [folder, new Set()]));
      for (const path of paths) {
        const folder = dirname(path);
        wanted.set(folder, (wanted.get(folder) ?? new Set()).add(basename(path)));
      }
      sync();
      // What happened before the watch was there told nobody.
      for (const [folder, names] of wanted) {
        for (const name of names) if (before.get(folder)?.has(name) !== true) onEvent(join(folder, name));
      }
    },
    close() {
      wanted = new Map();
      clearTimeout(look);
      for (const folder of [...open.keys()]) forget(folder);
    },
  };
}

/** The path and, where links are on its way, what it leads to: its readers get another file when either is replaced. */
export function withTarget(path: string): string[] {
  try {
    const real = realpathSync.native(path);
    return real === path ? [path] : [path, real];
  } catch {
    // Not there: waited for by its own name.
    return [path];
  }
}

/** The folder itself or the nearest one above it, and the name in it that is missing. */
function nearestThere(folder: string): { path: string; identity: string; missing: string | undefined } {
  let missing: string | undefined;
  for (let path = folder; ; path = dirname(path)) {
    const { stats } = lookExactly(path);
    if (stats?.isDirectory() === true) return { path, identity: inodeOf(stats), missing };
    if (path === dirname(path)) return { path, identity: '', missing };
    missing = basename(path);
  }
}

interface NameOnTheWay {
  readonly folder: string;
  readonly name: string;
  /** Of the folder. */
  readonly identity: string;
}

/**
 * What stands on the way to a folder, links followed: whoever replaces one of these leads its readers elsewhere. Each once.
 * Left out are folders in sticky ones (`/tmp`), where others come and go all the time and only its owner replaces a folder.
 */
function namesOnTheWay(folders: Iterable<string>): NameOnTheWay[] {
  const found: NameOnTheWay[] = [];
  const seen = new Set<string>();
  const left = [...folders];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const folder = dirname(path);
    if (folder === path || seen.has(path)) continue;
    seen.add(path);
    left.push(folder);
    const isLink = lookAt(path, 'kept').stats?.isSymbolicLink() === true;
    if (isLink) left.push(resolve(folder, readTarget(path)));
    const { stats } = lookExactly(folder);
    if (stats === undefined || (!isLink && (stats.mode & 0o1000n) !== 0n)) continue;
    found.push({ folder, name: basename(path), identity: inodeOf(stats) });
  }
  return found;
}

function readTarget(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '.'; // It was replaced meanwhile, which its folder tells of.
  }
}
