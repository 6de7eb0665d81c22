// How long to wait after a failure: exponential, with half of the wait at random ("equal jitter" in AWS Architecture Blog,
// "Exponential Backoff And Jitter"). With all of it at random an outage would cost an upstream twice the requests.

export interface BackoffLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * The wait before try number `attempt` (1 after the first failure): random between half and all of
 * min × 2^(attempt-1), capped at max, so that a fleet spreads out and none retries at once.
 * `random` gives numbers in [0, 1).
 */
export function backoffDelayMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(limits.maxMs, limits.minMs * 2 ** Math.min(Math.max(0, attempt - 1), 30));
  return Math.round(ceiling / 2 + random() * (ceiling / 2));
}
