// When the agent's own token is renewed and when it is replaced by a fresh login. Pure: takes the time and the randomness.
import { backoffDelayMs } from '../../../base/backoff.ts';

export interface TokenLife {
  /** Monotonic milliseconds; Infinity: no end. */
  readonly expiresAt: number;
  /** What the login granted, in milliseconds: a renewal that grants less has met the token's max TTL. */
  readonly periodMs: number;
  readonly isRenewable: boolean;
  /** The last renewal granted less than was asked for. */
  readonly isCapped: boolean;
  /** Renewals that failed in a row. */
  readonly failures: number;
}

export interface TokenPlan {
  readonly action: 'renew' | 'replace' | 'none';
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly why: string;
}

const retryBackoff = { minMs: 1000, maxMs: 60_000 };

/**
 * Renews, or replaces what cannot be renewed, at 60 to 73 % of what remains: before the leases that end with the token are
 * replaced, so that these are not made under it once more. Replaces at once in the last tenth.
 */
export function planToken(life: TokenLife, now: number, random: () => number): TokenPlan {
  if (life.expiresAt === Number.POSITIVE_INFINITY) {
    return { action: 'none', at: Number.POSITIVE_INFINITY, why: 'the token has no end' };
  }
  const remaining = Math.max(0, life.expiresAt - now);
  const at = now + remaining * (0.6 + 0.1333 * random());
  if (!life.isRenewable || life.isCapped) {
    const why = life.isCapped ? 'the token nears its max TTL' : 'the token cannot be renewed';
    return { action: 'replace', at, why };
  }
  if (remaining <= life.periodMs / 10) {
    return { action: 'replace', at: now, why: 'the token was not renewed in time' };
  }
  if (life.failures > 0) {
    const wait = Math.min(backoffDelayMs(life.failures, retryBackoff, random), remaining / 3);
    return { action: 'renew', at: now + wait, why: 'the last renewal failed' };
  }
  return { action: 'renew', at, why: 'two thirds of its life are over' };
}

/** The life after a renewal that granted `grantedMs`. */
export function renewedLife(
  before: TokenLife,
  grantedMs: number,
  isRenewable: boolean,
  now: number,
): TokenLife {
  return {
    ...before,
    expiresAt: grantedMs === 0 ? Number.POSITIVE_INFINITY : now + grantedMs,
    isRenewable,
    isCapped: grantedMs !== 0 && grantedMs < before.periodMs * 0.98 - 1000,
    failures: 0,
  };
}
