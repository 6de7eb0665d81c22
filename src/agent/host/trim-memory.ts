// Gives memory that work took back to the system: glibc keeps what was freed until malloc_trim(3) is called. An agent is
// at rest for hours after a start or a rotation, so it is worth a few milliseconds once it is.
import { mallocTrim } from '../../base/system/libc.ts';
import type { Clock, Timer } from '../../base/time/clock.ts';
import type { Changes } from '../../base/time/until.ts';
import { collectGarbage } from './collect-garbage.ts';
import { tuneHeap } from './tune-heap.ts';

const firstMs = 2000;
const laterMs = 60_000;
/** Once for small agents, and again for those whose start takes longer than the first pause. */
const collections = 2;

/** Trims soon after the start, and a while after changes. Returns what ends it. Nothing where libc cannot (musl). */
export function startMemoryTrim(clock: Clock, changes: Changes): () => void {
  let timer: Timer | undefined;
  let stop: () => void = () => undefined;
  let left = collections;
  const run = (): void => {
    timer = undefined;
    try {
      if (left > 0) collectGarbage();
      left -= 1;
      mallocTrim(0);
    } catch {
      // Another C library: it gives memory back by itself, or not.
      stop();
    }
  };
  timer = clock.setTimer(firstMs, () => {
    tuneHeap();
    run();
  });
  stop = changes(() => {
    timer ??= clock.setTimer(laterMs, run);
  });
  return () => {
    stop();
    timer?.cancel();
  };
}
