// Decides when a child whose values have changed is moved to the new ones.
import type { ProcessConfig } from '../config/resolved.ts';

interface RotationInput {
  /** There are complete values, and they differ from the child's. */
  readonly isOther: boolean;
  readonly onRotation: ProcessConfig['onRotation'];
  readonly splayMs: number;
  /** When it was to be made, as decided before. */
  readonly rotateAt: number | undefined;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

export type RotationDecision =
  | { readonly action: 'wait'; readonly waitMs: number | undefined; readonly rotateAt: number | undefined }
  | { readonly action: 'rotate'; readonly rotateAt: undefined };

/** Several secrets that change together make one restart. */
const gatherMs = 50;

/** A signal is sent at once; a restart comes after a random part of the splay, which further changes do not prolong. */
export function decideRotation(input: RotationInput): RotationDecision {
  const { isOther, onRotation, splayMs, now, random } = input;
  if (!isOther) return { action: 'wait', waitMs: undefined, rotateAt: undefined };
  if (onRotation.kind !== 'restart') return { action: 'rotate', rotateAt: undefined };
  const rotateAt = input.rotateAt ?? now + gatherMs + random() * splayMs;
  if (now >= rotateAt) return { action: 'rotate', rotateAt: undefined };
  return { action: 'wait', waitMs: rotateAt - now, rotateAt };
}

/** How long after failed attempts in a row to start a successor the next one is made: doubled each time, in its bounds. */
export function retryWaitMs(
  failures: number,
  { minBackoffMs, maxBackoffMs }: Pick<ProcessConfig['restart'], 'minBackoffMs' | 'maxBackoffMs'>,
): number {
  return Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(20, failures - 1));
}
