// How often something may be done: a bucket of tokens that fills at a rate up to a limit. Whoever takes one keeps what is left.

export interface TokenBucket {
  readonly tokens: number;
  /** Monotonic milliseconds at which it had them. */
  readonly at: number;
}

interface Filling {
  readonly most: number;
  /** So many come in so long. */
  readonly count: number;
  readonly inMs: number;
}

/** What is in it now; one that nobody has taken from is full. */
export function tokensIn(bucket: TokenBucket | undefined, filling: Filling, now: number): number {
  const { most, count, inMs } = filling;
  if (bucket === undefined) return most;
  return Math.min(most, bucket.tokens + ((now - bucket.at) / inMs) * count);
}
