// When the agent's own token is renewed and when it is replaced by a fresh login. Pure: takes the time and the randomness.
import { backoffDelayMs } from '../../../base/time/backoff.ts';
import { isExhausted, renewDelayMs } from '../../../base/time/renewal-policy.ts';

export interface TokenLife {
  /** Monotonic milliseconds; Infinity: no end. */
  readonly expiresAt: number;
  /** When it was granted or last renewed. */
  readonly confirmedAt: number;
  /** What the login granted, in milliseconds, and what each renewal asks for. */
  readonly periodMs: number;
  readonly isRenewable: boolean;
  /** The last renewal showed that no other moves its end. */
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
 * Renews at 60 to 73 % of what it was granted. What cannot be renewed any more is replaced at 60 to 73 % of a whole life, at once
 * where that is over: before the leases that end with the token are replaced, so that these are not made under it once
 * more, and with time left to hand the new ones to their users. Replaces at once in the last tenth.
 */
export function planToken(life: TokenLife, now: number, random: () => number): TokenPlan {
  if (life.expiresAt === Number.POSITIVE_INFINITY) {
    return { action: 'none', at: Number.POSITIVE_INFINITY, why: 'the token has no end' };
  }
  const remaining = Math.max(0, life.expiresAt - now);
  if (!life.isRenewable || life.isCapped) {
    const why = life.isCapped ? 'the token nears its max TTL' : 'the token cannot be renewed';
    const lead = life.periodMs - renewDelayMs(life.periodMs, random);
    return { action: 'replace', at: Math.max(now, life.expiresAt - lead), why };
  }
  if (remaining <= life.periodMs / 10) {
    return { action: 'replace', at: now, why: 'the token was not renewed in time' };
  }
  if (life.failures > 0) {
    const wait = Math.min(backoffDelayMs(life.failures, retryBackoff, random), remaining / 3);
    return { action: 'renew', at: now + wait, why: 'the last renewal failed' };
  }
  // A renewal that gave less than a whole life may have met the longest one: the next tells, while there is time.
  const grantedMs = life.expiresAt - life.confirmedAt;
  const wait = grantedMs < life.periodMs * 0.9 ? grantedMs / 2 : renewDelayMs(grantedMs, random);
  return {
    action: 'renew',
    at: Math.max(now, life.confirmedAt + wait),
    why: 'two thirds of its life are over',
  };
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
    confirmedAt: now,
    isRenewable,
    isCapped:
      grantedMs !== 0 &&
      isExhausted({
        isRenewable,
        askedMs: before.periodMs,
        grantedMs,
        movedMs: now + grantedMs - before.expiresAt,
      }),
    failures: 0,
  };
}
