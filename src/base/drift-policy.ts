// How soon a file is put right that somebody else has changed. Pure. At once, but two writers that undo each other's work
// must not do it for ever at full speed.
import type { FileDifference } from './paths/file-print.ts';

export interface Drift {
  readonly what: FileDifference;
  /** Wall time of the last time that it was seen, and how often in a row. */
  readonly at: number;
  readonly count: number;
  /** It is still so. */
  readonly isOpen: boolean;
}

const atOnce = 3;
const longestDelayMs = 5 * 60_000;
/** After so long without another one, it is another story. */
const forgottenAfterMs = 10 * 60_000;

export function nextDrift(before: Drift | undefined, what: FileDifference, wall: number): Drift {
  const isRow = before !== undefined && wall - before.at < forgottenAfterMs;
  return { what, at: wall, count: isRow ? before.count + 1 : 1, isOpen: true };
}

export function repairDelayMs({ count }: Drift): number {
  return count <= atOnce ? 0 : Math.min(longestDelayMs, 1000 * 2 ** (count - atOnce - 1));
}

/** The first ones, then at powers of two: a fight of two writers is told, not flooded. */
export function isWorthTelling({ count }: Drift): boolean {
  return count <= atOnce || Number.isInteger(Math.log2(count));
}
