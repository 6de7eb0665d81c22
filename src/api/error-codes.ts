// What each error code is in an answer over HTTP and as the exit code of a command: one table for the server, its clients
// and the reference pages.
import type { ErrorCode, ToldError } from '../base/errors.ts';

interface CodeMeaning {
  readonly status: number;
  readonly exit: number;
}

/** Exit codes as scripts rely on them: 1 failed, 2 bad usage or config, 3 not allowed, 4 not found, 5 upstream away. */
export const errorCodes: Readonly<Record<ErrorCode, CodeMeaning>> = {
  usage: { status: 400, exit: 2 },
  request_invalid: { status: 400, exit: 2 },
  method_not_allowed: { status: 405, exit: 2 },
  headers_too_large: { status: 431, exit: 2 },
  config_invalid: { status: 422, exit: 2 },
  template_invalid: { status: 422, exit: 2 },
  template_failed: { status: 500, exit: 1 },
  denied: { status: 403, exit: 3 },
  not_found: { status: 404, exit: 4 },
  mount_not_found: { status: 404, exit: 4 },
  pending: { status: 503, exit: 5 },
  expired: { status: 503, exit: 5 },
  not_ready: { status: 503, exit: 1 },
  agent_unreachable: { status: 503, exit: 5 },
  upstream_denied: { status: 502, exit: 3 },
  upstream_answer_invalid: { status: 502, exit: 5 },
  upstream_unavailable: { status: 503, exit: 5 },
  upstream_sealed: { status: 503, exit: 5 },
  upstream_rate_limited: { status: 503, exit: 5 },
  login_failed: { status: 503, exit: 3 },
  token_invalid: { status: 503, exit: 3 },
  lease_lost: { status: 503, exit: 1 },
  file_failed: { status: 500, exit: 1 },
  check_failed: { status: 500, exit: 1 },
  notify_failed: { status: 500, exit: 1 },
  settle_failed: { status: 500, exit: 1 },
  process_failed: { status: 500, exit: 1 },
  listener_failed: { status: 500, exit: 1 },
  audit_failed: { status: 503, exit: 1 },
  too_many_connections: { status: 503, exit: 1 },
  too_many_requests: { status: 429, exit: 1 },
  timeout: { status: 504, exit: 1 },
  aborted: { status: 503, exit: 1 },
  internal: { status: 500, exit: 1 },
};

/** The body of every answer outside 2xx, but under the paths of other dialects. */
export interface ErrorAnswer {
  readonly error: ToldError;
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}
