// Notices when somebody else has deleted or changed what was committed: by watching, when it is asked to look, and by a slow
// sweep. Putting right is an ordinary transaction, with its check, its notifications and its failures.

import { nextDrift, repairDelayMs } from '../../base/drift-policy.ts';
import { describeError } from '../../base/errors.ts';
import { differenceOf, type FileDifference, printAt } from '../../base/paths/file-print.ts';
import { createFolderWatch, withTarget } from '../../base/paths/folder-watch.ts';
import type { Timer } from '../../base/time/clock.ts';
import type { FileRegister } from '../file-register.ts';
import type { FileSet, ManagedFile } from '../file-set.ts';
import { type DriftTools, noteDrift } from './note-drift.ts';

export interface DriftWatch {
  /** A transaction of the set is over: what it left is what is watched. */
  ended(set: FileSet): void;
  /** Looks at every file now, or those that use one of `keys`. What puts something right has begun when it resolves. */
  look(keys?: readonly string[]): Promise<void>;
  close(): void;
}

export interface DriftOptions extends DriftTools {
  readonly register: FileRegister;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Begins a transaction of the set. */
  readonly repair: (set: FileSet) => void;
  /** Whether the bytes in place are those that the file renders to now. */
  readonly isSame: (file: ManagedFile) => Promise<boolean>;
}

/** Editors and package managers write in several steps. */
const calmMs = 50;
const sweepMs = 5 * 60_000;
/** A start of a thousand files is watched when it is over, but at the latest after this. */
const longestUnwatchedMs = 1000;
const inPlace: ReadonlySet<FileSet['step']> = new Set(['current', 'owed']);

export function createDriftWatch(options: DriftOptions): DriftWatch {
  const { register, clock, logger } = options;
  const watch = createFolderWatch({ logger, onEvent: noteEvent });
  const watched = createWatchedPaths();
  const suspects = new Set<string>();
  /** To be looked at when the transaction that runs is over. */
  const missed = new WeakSet<ManagedFile>();
  const timers = new Map<'calm' | 'renewal' | 'sweep' | ManagedFile, Timer>();
  let isClosed = false;
  /** When files were put in place last that are not watched yet. */
  let addedAt = 0;

  /** At most one of a kind at a time. */
  function later(key: 'calm' | 'renewal' | 'sweep' | ManagedFile, delayMs: number, work: () => void): void {
    if (isClosed || timers.has(key)) return;
    const timer = clock.setTimer(delayMs, () => {
      timers.delete(key);
      work();
    });
    timers.set(key, timer);
  }

  function noteEvent(path: string): void {
    suspects.add(path);
    later('calm', calmMs, () => {
      const files = new Set([...suspects].flatMap((suspect) => watched.ownerOf(suspect) ?? []));
      suspects.clear();
      void lookAt(files);
    });
  }

  function sweepLater(): void {
    later(
      'sweep',
      sweepMs * (0.8 + 0.4 * options.random()),
      () => void lookAt(register.files()).then(sweepLater),
    );
  }

  function watchLater(since: number): void {
    later('renewal', calmMs, () => {
      const now = clock.now();
      // What is put in place meanwhile would only tell of itself.
      if (now - addedAt < calmMs && now - since < longestUnwatchedMs) watchLater(since);
      else watch.set(watched.all());
    });
  }

  async function lookAt(files: Iterable<ManagedFile>): Promise<void> {
    for (const file of files) {
      await lookAtFile(file).catch((error: unknown) =>
        logger.debug(
          { destination: file.config.destination },
          `cannot look at the file: ${describeError(error)}`,
        ),
      );
    }
  }

  /** A transaction looks at the files that it writes, as they are before: at the others, and at what comes after, nobody. */
  function isPutOff(file: ManagedFile, set: FileSet): boolean {
    if (set.isRunning) missed.add(file);
    return set.isRunning;
  }

  async function lookAtFile(file: ManagedFile): Promise<void> {
    const set = register.setOf(file);
    if (isClosed || isPutOff(file, set)) return;
    // What kept it from being written may have gone.
    if (set.step === 'failing' && set.failure?.code === 'file_failed') return options.repair(set);
    const what = file.isDirty ? undefined : await differenceAt(file);
    if (what === undefined || isClosed || isPutOff(file, set)) return;
    if (file.config.onDrift === 'report') return report(file, what);
    const delayMs = repairDelayMs(nextDrift(file.drift, what, clock.wall()));
    if (delayMs === 0) putRight(file, what);
    else later(file, delayMs, () => putRight(file, what));
  }

  function putRight(file: ManagedFile, what: FileDifference): void {
    const set = register.setOf(file);
    file.suspicion = what;
    file.isDirty = true;
    // Its folder may be another one than the one that is watched.
    watchLater(clock.now());
    // A change that was refused is not tried again for this, or it would be with every look.
    if (inPlace.has(set.step)) options.repair(set);
  }

  async function report(file: ManagedFile, what: FileDifference): Promise<void> {
    if (what === 'content' && (await options.isSame(file))) {
      await takePrints(file);
      return noteRight(file);
    }
    if (file.drift?.isOpen !== true || file.drift.what !== what) noteDrift(file, what, true, options);
  }

  return {
    ended(set) {
      for (const file of set.files) {
        if (watched.update(file)) {
          addedAt = clock.now();
          watchLater(addedAt);
        }
        // Somebody was faster than the look at what was just put in place.
        const isOther = [...file.prints.values()].includes(undefined);
        if (missed.delete(file) || isOther) noteEvent(file.config.destination);
      }
      sweepLater();
    },
    look(keys) {
      return lookAt(keys === undefined ? register.files() : register.filesUsing(keys));
    },
    close() {
      isClosed = true;
      for (const timer of timers.values()) timer.cancel();
      watch.close();
    },
  };
}

/** The first difference of what the file has put in place. */
async function differenceAt(file: ManagedFile): Promise<FileDifference | undefined> {
  for (const [destination, print] of file.prints) {
    const what = differenceOf(print, await printAt(destination, 'followed', print));
    if (what !== undefined) return what;
  }
  noteRight(file);
  return undefined;
}

/** Somebody put it right. */
function noteRight(file: ManagedFile): void {
  if (file.drift?.isOpen === true) file.drift = { ...file.drift, isOpen: false };
}

/** What is there now is what was meant. */
async function takePrints(file: ManagedFile): Promise<void> {
  for (const destination of file.prints.keys()) file.prints.set(destination, await printAt(destination));
}

interface WatchedPaths {
  /** Whether the file's paths are others than before. */
  update(file: ManagedFile): boolean;
  ownerOf(path: string): ManagedFile | undefined;
  all(): Iterable<string>;
}

function createWatchedPaths(): WatchedPaths {
  const paths = new WeakMap<ManagedFile, readonly string[]>();
  const owners = new Map<string, ManagedFile>();
  return {
    update(file) {
      const before = paths.get(file) ?? [];
      const now = file.config.fifo ? [] : pathsOf(file);
      if (now.length === before.length && now.every((path, index) => path === before[index])) return false;
      for (const path of before) owners.delete(path);
      for (const path of now) owners.set(path, file);
      paths.set(file, now);
      return true;
    },
    ownerOf: (path) => owners.get(path),
    all: () => owners.keys(),
  };
}

/** The destinations and, where one is a link, what it leads to. */
function pathsOf(file: ManagedFile): string[] {
  const destinations = new Set([file.config.destination, ...file.prints.keys()]);
  return [...destinations].flatMap((destination) => {
    const realPath = file.prints.get(destination)?.realPath;
    if (realPath === undefined) return withTarget(destination);
    return realPath === destination ? [destination] : [destination, realPath];
  });
}
