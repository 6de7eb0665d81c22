// No floods: what says the same again and again is told a few times, then in one line a minute with its number.
import type { Clock } from '../time/clock.ts';

/**
 * What says how much there was, or in which run, not what or who: lines that differ by these alone, at any depth, say the
 * same. Every other field tells them apart. A test wants each field of the log to be of one kind or the other.
 */
export const measures: ReadonlySet<string> = new Set([
  ...['accessor', 'attempt', 'count', 'expired', 'gid', 'jump_ms', 'latency_ms', 'lost', 'others', 'pid'],
  ...['redone', 'repeated', 'retry_in_ms', 'set_seconds', 'skew_seconds', 'swept', 'ttl_seconds', 'version'],
]);

/** What tells these fields from others. */
export function distinction(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(fields, (name, value) => (measures.has(name) ? undefined : value));
}

export interface Repeats<Line> {
  /** False: it was said a few times in this minute, and is counted. Lines of one key say the same. */
  isWorthTelling(key: string, line: Line): boolean;
}

export interface RepeatsOptions<Line> {
  /** So often it is told before it is counted; default 5. */
  readonly few?: number;
  /** So many keys are known at a time. */
  readonly most: number;
  /** So often it was said in the minute, besides the times that it was told. */
  tell(line: Line, count: number): void;
  /** Where it is given, what has another key when `most` are known is counted too; else the oldest key makes room. */
  tellOthers?(count: number): void;
  readonly clock?: Pick<Clock, 'now' | 'setTimer'>;
}

const minuteMs = 60_000;

/** Keeps no process alive. */
const quietClock: Pick<Clock, 'now' | 'setTimer'> = {
  now: () => performance.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

export function createRepeats<Line>(options: RepeatsOptions<Line>): Repeats<Line> {
  const { few = 5, most, tell, tellOthers, clock = quietClock } = options;
  // In the order of their beginning.
  const known = new Map<string, { readonly line: Line; readonly begin: number; count: number }>();
  let others = 0;
  let isWaiting = false;

  function close(key: string): void {
    const one = known.get(key);
    known.delete(key);
    if (one !== undefined && one.count > few) tell(one.line, one.count - few);
  }

  function closeAll(): void {
    isWaiting = false;
    process.off('exit', closeAll);
    for (const key of [...known.keys()]) close(key);
    const unnamed = others;
    others = 0;
    if (unnamed > 0) tellOthers?.(unnamed);
  }

  /** Only where there is something to tell: an agent at rest is not woken. */
  function tellLater(): void {
    if (isWaiting) return;
    isWaiting = true;
    clock.setTimer(minuteMs, closeAll);
    process.on('exit', closeAll);
  }

  function closeOld(now: number): void {
    for (const [key, { begin }] of known) {
      if (now - begin < minuteMs) return;
      close(key);
    }
  }

  return {
    isWorthTelling(key, line) {
      const now = clock.now();
      closeOld(now);
      let one = known.get(key);
      if (one === undefined && known.size >= most) {
        if (tellOthers !== undefined) {
          others += 1;
          tellLater();
          return false;
        }
        for (const oldest of [...known.keys()].slice(0, 1)) close(oldest);
      }
      one ??= { line, begin: now, count: 0 };
      one.count += 1;
      known.set(key, one);
      if (one.count <= few) return true;
      tellLater();
      return false;
    },
  };
}
