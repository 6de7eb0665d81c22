// What people are shown of a login.

import type { LatchkeyError } from '../../../base/errors.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { LoginStatus } from '../../secret-source.ts';
import type { SessionToken } from './session-token.ts';

type SessionState = 'starting' | 'logging_in' | 'ready' | 'login_failed' | 'denied';

export interface SessionStatus {
  readonly state: SessionState;
  readonly error: LatchkeyError | undefined;
  readonly login: LoginStatus;
  readonly isFatal: boolean;
}

export function loginStatus(
  method: string,
  state: SessionState,
  token: SessionToken | undefined,
  clock: Clock,
): LoginStatus {
  const names = { starting: 'none', logging_in: 'logging_in', ready: 'logged_in' } as const;
  const shown = state === 'login_failed' || state === 'denied' ? 'failed' : names[state];
  if (token === undefined || state !== 'ready') return { method, state: shown };
  const { expiresAt } = token.life;
  return {
    method,
    state: shown,
    policies: token.grant.policies,
    ...(token.grant.accessor === undefined ? {} : { accessor: token.grant.accessor }),
    ...(Number.isFinite(expiresAt) ? { expiresAt: Math.round(clock.wall() + expiresAt - clock.now()) } : {}),
  };
}
