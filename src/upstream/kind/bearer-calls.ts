// Calls with an access token that is kept for its life: a refusal takes another one, once.

import { errorCode, LatchkeyError } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { JsonObject } from '../../base/text/json.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { CloudIdentity, IdentityKeeper } from '../cloud/identity-keeper.ts';
import { checkStatus, type HttpAnswer, type HttpCalls, jsonBody } from './http-calls.ts';

export interface AccessToken extends CloudIdentity {
  readonly token: SecretValue;
}

interface BearerCallsOptions {
  readonly http: HttpCalls;
  readonly identity: IdentityKeeper<AccessToken>;
  /** The service's word for what is wrong, without its sentence. */
  detailOf?(answer: JsonObject, status: number): string;
  /** What the kind knows better than the status says. */
  meaning?(answer: JsonObject, status: number, what: string): LatchkeyError | undefined;
}

export interface BearerCalls {
  get(url: string, what: string, request: RequestOptions): Promise<HttpAnswer>;
}

export function createBearerCalls(options: BearerCallsOptions): BearerCalls {
  const { http, identity } = options;

  async function once(url: string, what: string, request: RequestOptions): Promise<HttpAnswer> {
    const held = await identity.get(request.signal);
    const answer = await http.send(
      { url, headers: { accept: 'application/json', authorization: `Bearer ${held.token.text()}` } },
      request,
    );
    if (answer.status === 401) identity.forget(held);
    const told = answer.status < 400 ? {} : tolerant(answer);
    const meaning = options.meaning?.(told, answer.status, what);
    if (meaning !== undefined) throw meaning;
    checkStatus(answer, what, options.detailOf?.(told, answer.status) ?? '');
    return answer;
  }

  return {
    async get(url, what, request) {
      try {
        return await once(url, what, request);
      } catch (error) {
        if (errorCode(error) !== 'token_invalid') throw error;
        return await once(url, what, request);
      }
    },
  };
}

function tolerant(answer: HttpAnswer): JsonObject {
  try {
    return jsonBody(answer);
  } catch {
    // Of a proxy in between: the status has to do.
    return {};
  }
}

/** `code`-like words of an error; sentences may quote what was asked for. */
export function wordIn(value: unknown): string {
  return typeof value === 'string' && /^[A-Za-z_.-]{1,60}$/.test(value) ? value : '';
}

export function loginFailed(message: string, remedy?: string): LatchkeyError {
  return new LatchkeyError('login_failed', message, { remedy });
}
