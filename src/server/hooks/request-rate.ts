// How often something may be done: for each sender a bucket of tokens that fills at a rate.
import { RecentMap } from '../../base/bounded-map.ts';
import type { Clock } from '../../base/time/clock.ts';
import { type TokenBucket, tokensIn } from '../../base/time/token-bucket.ts';

export interface RequestRate {
  /** Milliseconds until there is one; 0: it is taken. */
  take(key: string, perMinute: number): number;
}

/** A flood from more addresses than that lets the oldest of them begin again. */
const mostKeys = 10_000;
const minuteMs = 60_000;

/** Whoever was quiet may send a third of a minute's at once. */
export function createRequestRate(clock: Clock): RequestRate {
  const buckets = new RecentMap<string, TokenBucket>(mostKeys);
  return {
    take(key, perMinute) {
      const most = Math.max(1, Math.ceil(perMinute / 3));
      const now = clock.now();
      const tokens = tokensIn(buckets.get(key), { most, count: perMinute, inMs: minuteMs }, now);
      const isThere = tokens >= 1;
      buckets.set(key, { tokens: isThere ? tokens - 1 : tokens, at: now });
      return isThere ? 0 : Math.ceil(((1 - tokens) * minuteMs) / perMinute);
    },
  };
}
