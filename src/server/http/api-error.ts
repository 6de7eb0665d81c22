// Errors as answers: the status of each code, and the body that carries it.
import { describeError, errorCode } from '../../base/errors.ts';

/** Codes of the local API; docs/reference/local-api.md lists the same (a test compares). */
export const apiStatuses = {
  request_invalid: 400,
  usage: 400,
  denied: 403,
  not_found: 404,
  mount_not_found: 404,
  method_not_allowed: 405,
  config_invalid: 422,
  headers_too_large: 431,
  internal: 500,
  upstream_answer_invalid: 502,
  upstream_denied: 502,
  pending: 503,
  expired: 503,
  not_ready: 503,
  audit_failed: 503,
  too_many_connections: 503,
  upstream_unavailable: 503,
  upstream_sealed: 503,
  upstream_rate_limited: 503,
  login_failed: 503,
  token_invalid: 503,
  lease_lost: 503,
  aborted: 503,
  timeout: 504,
} as const;

export type ApiCode = keyof typeof apiStatuses;

export interface ApiError {
  readonly code: string;
  readonly message: string;
  readonly status: number;
}

export function apiError(code: ApiCode, message: string): ApiError {
  return { code, message, status: apiStatuses[code] };
}

/** Of anything thrown. What is not ours says nothing of itself: its message may quote what it worked on. */
export function apiErrorOf(error: unknown): ApiError {
  const code = errorCode(error);
  if (code === 'internal') return apiError('internal', 'the agent failed to answer: see its log');
  return {
    code,
    message: describeError(error),
    status: (apiStatuses as Record<string, number>)[code] ?? 500,
  };
}

export function errorBody(code: string, message: string): string {
  return `${JSON.stringify({ error: { code, message } })}\n`;
}
