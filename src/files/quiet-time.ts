// Quiescence: secrets that are changed together arrive one after the other, and their files are to be committed and their
// programs told once. A set that has changed waits until nothing has changed for a moment, but not for ever.
import type { Clock, Timer } from '../base/time/clock.ts';
import type { FileSet } from './file-set.ts';

export interface QuietTime {
  /** A secret of the set has changed: `onQuiet` is called for it later, or at once where it wants no wait. */
  noteChange(set: FileSet): void;
  /** Somebody waits for the files: what waits for quiet goes ahead now. */
  flush(): void;
  close(): void;
}

interface Waiting {
  readonly timer: Timer;
  /** Monotonic. */
  readonly latest: number;
}

export function createQuietTime(clock: Clock, onQuiet: (set: FileSet) => void): QuietTime {
  const waiting = new Map<FileSet, Waiting>();

  function end(set: FileSet): void {
    waiting.get(set)?.timer.cancel();
    waiting.delete(set);
    onQuiet(set);
  }

  return {
    noteChange(set) {
      const { minMs, maxMs } = waitOf(set);
      // What has never been in place is awaited: it is rendered as soon as it can be.
      const isFirst = set.files.every((file) => file.committedAt === undefined && file.versions.size === 0);
      if (minMs === 0 || isFirst) return end(set);
      const now = clock.now();
      const before = waiting.get(set);
      before?.timer.cancel();
      const latest = before?.latest ?? now + maxMs;
      const delayMs = Math.max(0, Math.min(minMs, latest - now));
      waiting.set(set, { latest, timer: clock.setTimer(delayMs, () => end(set)) });
    },
    flush() {
      for (const set of [...waiting.keys()]) end(set);
    },
    close() {
      for (const { timer } of waiting.values()) timer.cancel();
      waiting.clear();
    },
  };
}

/** Of a set the longest wish of any of its files. */
function waitOf(set: FileSet): { minMs: number; maxMs: number } {
  const waits = set.files.map(({ config }) => config.wait);
  return {
    minMs: Math.max(0, ...waits.map(({ minMs }) => minMs)),
    maxMs: Math.max(0, ...waits.map(({ maxMs }) => maxMs)),
  };
}
