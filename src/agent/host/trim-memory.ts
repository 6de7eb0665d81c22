// Gives memory that work took back to the system: glibc keeps what was freed until malloc_trim(3) is called. An agent is
// at rest for hours after a start or a rotation, so it is worth a few milliseconds once it is.
import { getHeapStatistics } from 'node:v8';
import { mallocTrim } from '../../base/system/libc.ts';
import type { Clock, Timer } from '../../base/time/clock.ts';
import type { Changes } from '../../base/time/until.ts';
import { collectGarbage, forgetUnusedCode } from './collect-garbage.ts';
import { releaseProgramPages } from './release-pages.ts';

const firstMs = 2000;
const laterMs = 60_000;
/** By how much a heap may have grown since the last collection before it is worth another, when a burst is over. */
const growth = { least: 2 * 1024 * 1024, share: 1.3 };

/** Trims soon after the start, a minute later, and a minute after work of any kind. Returns what ends it. Nothing where libc cannot (musl). */
export function startMemoryTrim(clock: Clock, ...work: readonly Changes[]): () => void {
  let timer: Timer | undefined;
  let stop: () => void = () => undefined;
  let isSettled = false;
  let settledAt = 0;

  function collect(): void {
    releaseProgramPages();
    collectGarbage();
    settledAt = heapSize();
  }

  function later(): void {
    // By now polls and requests have run once: what has not is of the start. Of a long one it is the end.
    if (!isSettled) forgetUnusedCode();
    if (!isSettled || hasGrown(settledAt)) collect();
    isSettled = true;
  }

  function attempt(trim: () => void): void {
    timer = undefined;
    try {
      trim();
      mallocTrim(0);
    } catch {
      // Another C library, or no /proc: memory is given back without our help, or not.
      stop();
    }
  }

  const setLater = (): void => {
    timer ??= clock.setTimer(laterMs, () => attempt(later));
  };
  timer = clock.setTimer(firstMs, () => {
    attempt(collect);
    setLater();
  });
  const stops = work.map((listen) => listen(setLater));
  stop = () => {
    for (const end of stops) end();
  };
  return () => {
    stop();
    timer?.cancel();
  };
}

/** V8 by itself lets it grow by a fifth (tune-heap.ts), and takes what is used as used until then. */
function hasGrown(settledAt: number): boolean {
  return heapSize() > Math.max(settledAt + growth.least, settledAt * growth.share);
}

function heapSize(): number {
  return getHeapStatistics().total_heap_size;
}
