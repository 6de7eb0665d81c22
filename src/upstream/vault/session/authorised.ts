// Requests with the session's token. One that is refused because the token is dead is repeated once with the next token.

import type { VaultAnswer } from '../answer-policy.ts';
import type { VaultClient } from '../vault-client.ts';
import type { VaultRequest } from '../vault-request.ts';
import type { Session } from './session.ts';
import type { SessionToken } from './session-token.ts';

type AuthorisedRequest = Omit<VaultRequest, 'token'>;

export interface AuthorisedAnswer extends VaultAnswer {
  readonly token: SessionToken;
}

export type Authorised = (request: AuthorisedRequest) => Promise<AuthorisedAnswer>;

export function createAuthorised(client: VaultClient, session: Session): Authorised {
  return async (request) => {
    const token = await session.token(request.signal);
    const answer = await client.request({ ...request, token: token.value });
    if (answer.status !== 403 || !(await session.isRefused(token, answer, request.path)))
      return { ...answer, token };
    const next = await session.token(request.signal);
    return { ...(await client.request({ ...request, token: next.value })), token: next };
  };
}
