// Gives memory that starting took back to the system: glibc keeps what was freed until malloc_trim(3) is called. An agent
// is at rest for hours, so it is worth a few milliseconds now and then.
import type { Clock, Timer } from '../../base/clock.ts';
import { mallocTrim } from '../../base/libc.ts';

const firstMs = 2000;
const everyMs = 600_000;

/** Returns what ends it. Does nothing where the C library has no malloc_trim (musl). */
export function startMemoryTrim(clock: Clock): () => void {
  let timer: Timer;
  const run = (): void => {
    try {
      mallocTrim(0);
    } catch {
      // Another C library: it gives memory back by itself, or not.
      return;
    }
    timer = clock.setTimer(everyMs, run);
  };
  timer = clock.setTimer(firstMs, run);
  return () => timer.cancel();
}
