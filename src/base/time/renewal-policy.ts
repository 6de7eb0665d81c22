// What a renewal shows, for everything that is lent: leases, the agent's own token, tokens of callers. One notion of when
// it can be renewed no further, and of when to renew. Pure; times in milliseconds.

export interface Renewal {
  readonly isRenewable: boolean;
  readonly askedMs: number;
  readonly grantedMs: number;
  /** By how much its end is later than before. */
  readonly movedMs: number;
}

/**
 * Whether no further renewal will move its end: it says so, or it was given less than asked and its end stays where it
 * was, give or take a second or a twentieth of what was given. An end that moves, if less than asked, is a shortened TTL, or
 * will show at the next renewal.
 */
export function isExhausted({ isRenewable, askedMs, grantedMs, movedMs }: Renewal): boolean {
  const isStill = Math.abs(movedMs) <= Math.max(1000, Math.min(askedMs, grantedMs) / 20);
  return !isRenewable || (isShortGrant({ askedMs, grantedMs }) && isStill);
}

/** Less than asked: what is left up to a latest end, or a TTL that became shorter. */
export function isShortGrant({ askedMs, grantedMs }: Pick<Renewal, 'askedMs' | 'grantedMs'>): boolean {
  return grantedMs < askedMs - Math.max(1000, askedMs / 20);
}

/** A moment at about two thirds of what remains: 60 to 73 %. */
export function renewDelayMs(remainingMs: number, random: () => number): number {
  return Math.max(0, remainingMs) * (2 / 3) * (0.9 + 0.2 * random());
}
