// Notices when somebody else has deleted or changed what was committed: by watching, when it is asked to look, and by a slow
// sweep. Putting right is an ordinary transaction, with its check, its notifications and its failures.
import { describeError } from '../../base/errors.ts';
import { differenceOf, type FileDifference, printAt } from '../../base/paths/file-print.ts';
import { createFolderWatch, withTarget } from '../../base/paths/folder-watch.ts';
import type { Timer } from '../../base/time/clock.ts';
import type { FileRegister } from '../file-register.ts';
import type { FileSet, ManagedFile } from '../file-set.ts';
import { nextDrift, repairDelayMs } from './drift-policy.ts';
import { type DriftTools, noteDrift } from './note-drift.ts';

export interface DriftWatch {
  /** A transaction of the group is over: what it left is what is watched. */
  ended(group: FileSet): void;
  /** Looks at every file now, or those that use one of `keys`. What puts something right has begun when it resolves. */
  look(keys?: readonly string[]): Promise<void>;
  close(): void;
}

export interface DriftOptions extends DriftTools {
  readonly register: FileRegister;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Begins a transaction of the group. */
  readonly repair: (group: FileSet) => void;
  /** Whether the bytes in place are those that the unit renders to now. */
  readonly isSame: (unit: ManagedFile) => Promise<boolean>;
}

/** Editors and package managers write in several steps. */
const calmMs = 50;
const sweepMs = 5 * 60_000;
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
      const units = new Set([...suspects].flatMap((suspect) => watched.ownerOf(suspect) ?? []));
      suspects.clear();
      void lookAt(units);
    });
  }

  function sweepLater(): void {
    later(
      'sweep',
      sweepMs * (0.8 + 0.4 * options.random()),
      () => void lookAt(register.units()).then(sweepLater),
    );
  }

  async function lookAt(units: Iterable<ManagedFile>): Promise<void> {
    for (const unit of units) {
      await lookAtUnit(unit).catch((error: unknown) =>
        logger.debug(
          { destination: unit.config.destination },
          `cannot look at the file: ${describeError(error)}`,
        ),
      );
    }
  }

  /** A transaction looks at the files that it writes, as they are before: at the others, and at what comes after, nobody. */
  function isPutOff(unit: ManagedFile, group: FileSet): boolean {
    if (group.isRunning) missed.add(unit);
    return group.isRunning;
  }

  async function lookAtUnit(unit: ManagedFile): Promise<void> {
    const group = register.groupOf(unit);
    if (isClosed || isPutOff(unit, group)) return;
    // What kept it from being written may have gone.
    if (group.step === 'failing' && group.failure?.code === 'file_failed') return options.repair(group);
    const what = unit.isDirty ? undefined : await differenceAt(unit);
    if (what === undefined || isClosed || isPutOff(unit, group)) return;
    if (unit.config.onDrift === 'report') return report(unit, what);
    const delayMs = repairDelayMs(nextDrift(unit.drift, what, clock.wall()));
    if (delayMs === 0) putRight(unit, what);
    else later(unit, delayMs, () => putRight(unit, what));
  }

  function putRight(unit: ManagedFile, what: FileDifference): void {
    const group = register.groupOf(unit);
    unit.suspicion = what;
    unit.isDirty = true;
    // A change that was refused is not tried again for this, or it would be with every look.
    if (inPlace.has(group.step)) options.repair(group);
  }

  async function report(unit: ManagedFile, what: FileDifference): Promise<void> {
    if (what === 'content' && (await options.isSame(unit))) {
      await takePrints(unit);
      return noteRight(unit);
    }
    if (unit.drift?.isOpen !== true || unit.drift.what !== what) noteDrift(unit, what, true, options);
  }

  return {
    ended(group) {
      for (const unit of group.units) {
        if (watched.update(unit)) later('renewal', calmMs, () => watch.set(watched.all()));
        // Somebody was faster than the look at what was just put in place.
        const isOther = [...unit.prints.values()].includes(undefined);
        if (missed.delete(unit) || isOther) noteEvent(unit.config.destination);
      }
      sweepLater();
    },
    look(keys) {
      return lookAt(keys === undefined ? register.units() : register.unitsUsing(keys));
    },
    close() {
      isClosed = true;
      for (const timer of timers.values()) timer.cancel();
      watch.close();
    },
  };
}

/** The first difference of what the unit has put in place. */
async function differenceAt(unit: ManagedFile): Promise<FileDifference | undefined> {
  for (const [destination, print] of unit.prints) {
    const what = differenceOf(print, await printAt(destination, 'followed', print));
    if (what !== undefined) return what;
  }
  noteRight(unit);
  return undefined;
}

/** Somebody put it right. */
function noteRight(unit: ManagedFile): void {
  if (unit.drift?.isOpen === true) unit.drift = { ...unit.drift, isOpen: false };
}

/** What is there now is what was meant. */
async function takePrints(unit: ManagedFile): Promise<void> {
  for (const destination of unit.prints.keys()) unit.prints.set(destination, await printAt(destination));
}

interface WatchedPaths {
  /** Whether the unit's paths are others than before. */
  update(unit: ManagedFile): boolean;
  ownerOf(path: string): ManagedFile | undefined;
  all(): Iterable<string>;
}

function createWatchedPaths(): WatchedPaths {
  const paths = new WeakMap<ManagedFile, readonly string[]>();
  const owners = new Map<string, ManagedFile>();
  return {
    update(unit) {
      const before = paths.get(unit) ?? [];
      const now = unit.config.fifo ? [] : pathsOf(unit);
      if (now.length === before.length && now.every((path, index) => path === before[index])) return false;
      for (const path of before) owners.delete(path);
      for (const path of now) owners.set(path, unit);
      paths.set(unit, now);
      return true;
    },
    ownerOf: (path) => owners.get(path),
    all: () => owners.keys(),
  };
}

/** The destinations and, where one is a link, what it leads to. */
function pathsOf(unit: ManagedFile): string[] {
  const destinations = new Set([unit.config.destination, ...unit.prints.keys()]);
  return [...destinations].flatMap(withTarget);
}
