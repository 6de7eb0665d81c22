// A token in use, and how long it lives; each login makes another object.
import type { SecretValue } from '../../../base/secret-value.ts';
import type { Grant } from './login.ts';
import type { TokenLife } from './token-policy.ts';

export interface SessionToken {
  readonly value: SecretValue;
  readonly grant: Grant;
  /** Another run goes on with it after this one. */
  readonly isLent?: boolean;
  /** Replaced by each renewal. */
  life: TokenLife;
}

export function createSessionToken(grant: Grant, now: number): SessionToken {
  const periodMs = grant.ttlSeconds * 1000;
  return {
    value: grant.token,
    grant,
    life: {
      expiresAt: periodMs === 0 ? Number.POSITIVE_INFINITY : now + periodMs,
      confirmedAt: now,
      periodMs,
      isRenewable: grant.isRenewable,
      isCapped: false,
      failures: 0,
    },
  };
}
