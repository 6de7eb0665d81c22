// Gives memory that starting took back to the system: glibc keeps what was freed until malloc_trim(3) is called. An agent
// is at rest for hours, so it is worth a few milliseconds now and then.
import koffi from 'koffi';
import type { Clock, Timer } from '../../base/clock.ts';

const firstMs = 2000;
const everyMs = 600_000;

/** Returns what ends it. Does nothing where the C library has no malloc_trim (musl). */
export function startMemoryTrim(clock: Clock): () => void {
  let trim: (keptBytes: number) => number;
  try {
    trim = koffi.load(null).func('int malloc_trim(size_t)');
  } catch {
    // Another C library: it gives memory back by itself, or not.
    return () => undefined;
  }
  let timer: Timer;
  const run = (): void => {
    trim(0);
    timer = clock.setTimer(everyMs, run);
  };
  timer = clock.setTimer(firstMs, run);
  return () => timer.cancel();
}
