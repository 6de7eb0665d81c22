// Quiescence: secrets that are changed together arrive one after the other, and their files are to be committed and their
// programs told once. A group that has changed waits until nothing has changed for a moment, but not for ever.
import type { Clock, Timer } from '../base/time/clock.ts';
import type { FileSet } from './file-set.ts';

export interface QuietTime {
  /** A secret of the group has changed: `onQuiet` is called for it later, or at once where it wants no wait. */
  noteChange(group: FileSet): void;
  /** Somebody waits for the files: what waits for quiet goes ahead now. */
  flush(): void;
  close(): void;
}

interface Waiting {
  readonly timer: Timer;
  /** Monotonic. */
  readonly latest: number;
}

export function createQuietTime(clock: Clock, onQuiet: (group: FileSet) => void): QuietTime {
  const waiting = new Map<FileSet, Waiting>();

  function end(group: FileSet): void {
    waiting.get(group)?.timer.cancel();
    waiting.delete(group);
    onQuiet(group);
  }

  return {
    noteChange(group) {
      const { minMs, maxMs } = waitOf(group);
      // What has never been in place is awaited: it is rendered as soon as it can be.
      const isFirst = group.units.every((unit) => unit.committedAt === undefined && unit.versions.size === 0);
      if (minMs === 0 || isFirst) return end(group);
      const now = clock.now();
      const before = waiting.get(group);
      before?.timer.cancel();
      const latest = before?.latest ?? now + maxMs;
      const delayMs = Math.max(0, Math.min(minMs, latest - now));
      waiting.set(group, { latest, timer: clock.setTimer(delayMs, () => end(group)) });
    },
    flush() {
      for (const group of [...waiting.keys()]) end(group);
    },
    close() {
      for (const { timer } of waiting.values()) timer.cancel();
      waiting.clear();
    },
  };
}

/** Of a set the longest wish of any of its files. */
function waitOf(group: FileSet): { minMs: number; maxMs: number } {
  const waits = group.units.map(({ config }) => config.wait);
  return {
    minMs: Math.max(0, ...waits.map(({ minMs }) => minMs)),
    maxMs: Math.max(0, ...waits.map(({ maxMs }) => maxMs)),
  };
}
