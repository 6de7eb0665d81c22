// A login as it is handed from one run of the agent to the next: the token, and what is known of its life in wall time.

import { SecretValue } from '../../../base/secret-value.ts';
import { type Clock, wallAt } from '../../../base/time/clock.ts';
import type { LoginHandOver } from '../../../store/secret-reading.ts';
import { type AuthConfig, isUsedUp } from '../config/vault-config.ts';
import type { LeaseOrigins } from './lease-origins.ts';
import type { Session } from './session.ts';
import type { SessionToken } from './session-token.ts';

interface HandedLogin {
  readonly token: string;
  readonly accessor: string | null;
  readonly policies: readonly string[];
  readonly isRenewable: boolean;
  readonly periodMs: number;
  /** Wall time in milliseconds; null: no end. */
  readonly endsAt: number | null;
}

interface HandOverParts {
  readonly auth: AuthConfig;
  readonly session: Pick<Session, 'ownToken' | 'state' | 'resume'>;
  readonly origins: Pick<LeaseOrigins, 'add'>;
  readonly clock: Clock;
}

export function handOverLogin({ auth, session, origins, clock }: HandOverParts): LoginHandOver {
  return {
    handOn() {
      const token = session.ownToken();
      return token && writeLogin(token, clock);
    },
    isSpent: () => isUsedUp(auth) && session.state() === 'ready',
    canRepeat: !isUsedUp(auth),
    resume(login, leaseIds) {
      const token = readLogin(login, clock);
      session.resume(token);
      for (const leaseId of leaseIds) origins.add(leaseId, token);
    },
    borrow: (login) => session.resume({ ...readLogin(login, clock), isLent: true }),
  };
}

export function writeLogin({ value, grant, life }: SessionToken, clock: Clock): SecretValue {
  const handed: HandedLogin = {
    token: value.text(),
    accessor: grant.accessor ?? null,
    policies: grant.policies,
    isRenewable: life.isRenewable && !life.isCapped,
    periodMs: life.periodMs,
    endsAt: Number.isFinite(life.expiresAt) ? wallAt(clock, life.expiresAt) : null,
  };
  return SecretValue.fromText(JSON.stringify(handed));
}

/** Only what `writeLogin` made gets here: it was sealed. */
export function readLogin(login: SecretValue, clock: Clock): SessionToken {
  const handed = JSON.parse(login.text()) as HandedLogin;
  const { accessor, policies, isRenewable, periodMs, endsAt } = handed;
  const value = SecretValue.fromText(handed.token);
  const expiresAt = endsAt === null ? Number.POSITIVE_INFINITY : clock.now() + (endsAt - clock.wall());
  return {
    value,
    grant: {
      token: value,
      accessor: accessor ?? undefined,
      policies,
      ttlSeconds: periodMs / 1000,
      isRenewable,
      isOwn: true,
    },
    life: { expiresAt, confirmedAt: clock.now(), periodMs, isRenewable, isCapped: false, failures: 0 },
  };
}
