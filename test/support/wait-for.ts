// Waits for a condition instead of for a time, and tries what is to be fast until it was.
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Resolves to the first value that is neither undefined nor false; rejects at the deadline, naming what was waited for. Where
 * the condition throws it does not hold yet: the file is not there, nobody listens, an answer is not whole.
 * @param timeoutMs default: more than a machine takes that others keep busy. It says nothing of how fast something is.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 60_000,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const isLast = Date.now() > end;
    let cause: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      cause = error;
    }
    if (isLast) {
      const why = cause === undefined ? '' : `: ${cause}`;
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}${why}`, { cause });
    }
    await delay(5);
  }
}

/**
 * Of what is to be over within `boundMs`: repeated until it was once, for a machine that is busy with something else makes
 * anything slow now and then, and nothing fast. Rejects where no attempt was.
 * @param attempt may resolve to how many milliseconds the part of it took that counts
 */
export async function onceWithin(
  boundMs: number,
  attempt: (round: number) => Promise<unknown>,
  attempts = 10,
): Promise<void> {
  const took: number[] = [];
  while (took.length < attempts) {
    const begun = performance.now();
    const part = await attempt(took.length);
    took.push(Math.round(typeof part === 'number' ? part : performance.now() - begun));
    if (Math.min(...took) < boundMs) return;
  }
  throw new Error(`expected it within ${boundMs} ms, each attempt took longer: ${took.join(', ')} ms`);
}
