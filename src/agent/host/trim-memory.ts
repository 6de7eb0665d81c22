// Gives memory that work took back to the system: glibc keeps what was freed until malloc_trim(3) is called. An agent is
// at rest for hours after a start or a rotation, so it is worth a few milliseconds once it is.
import { getHeapStatistics } from 'node:v8';
import { mallocTrim } from '../../base/system/libc.ts';
import type { Clock, Timer } from '../../base/time/clock.ts';
import type { Changes } from '../../base/time/until.ts';
import { collectGarbage } from './collect-garbage.ts';
import { releaseProgramPages } from './release-pages.ts';

const firstMs = 2000;
const laterMs = 60_000;
/** Once for small agents, and again for those whose start takes longer than the first pause. */
const collections = 2;
/** By how much a heap may have grown since the last collection before it is worth another, when a burst is over. */
const growth = { least: 4 * 1024 * 1024, share: 1.3 };

/** Trims soon after the start, and a while after changes of any kind. Returns what ends it. Nothing where libc cannot (musl). */
export function startMemoryTrim(clock: Clock, ...changes: readonly Changes[]): () => void {
  let timer: Timer | undefined;
  let stop: () => void = () => undefined;
  let left = collections;
  let settledAt = 0;
  const run = (): void => {
    timer = undefined;
    try {
      if (left > 0 || hasGrown(settledAt)) {
        releaseProgramPages();
        collectGarbage();
        settledAt = heapSize();
      }
      left -= 1;
      mallocTrim(0);
    } catch {
      // Another C library, or no /proc: memory is given back without our help, or not.
      stop();
    }
  };
  timer = clock.setTimer(firstMs, run);
  const stops = changes.map((listen) => listen(() => (timer ??= clock.setTimer(laterMs, run))));
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
