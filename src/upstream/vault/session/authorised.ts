// Requests with the session's token. One that is refused because the token is dead is repeated once with the next token.

import type { VaultAnswer } from '../answer-policy.ts';
import type { VaultClient } from '../vault-client.ts';
import type { VaultRequest } from '../vault-request.ts';
import type { Session } from './session.ts';
import type { SessionToken } from './session-token.ts';

export interface AuthorisedRequest extends Omit<VaultRequest, 'token'> {
  /** Nobody needs the answer: a 403 is taken for one of policy, and nothing is asked because of it. */
  readonly isOptional?: boolean;
}

export interface AuthorisedAnswer extends VaultAnswer {
  readonly token: SessionToken;
}

export type Authorised = (request: AuthorisedRequest) => Promise<AuthorisedAnswer>;

export function createAuthorised(client: VaultClient, session: Session): Authorised {
  return async (request) => {
    const token = await session.token(request.signal);
    const answer = await client.request({ ...request, token: token.value });
    const isTaken = answer.status !== 403 || request.isOptional === true;
    if (isTaken || !(await session.isRefused(token, answer, request.path))) return { ...answer, token };
    const next = await session.token(request.signal);
    return { ...(await client.request({ ...request, token: next.value })), token: next };
  };
}
