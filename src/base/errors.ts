// The one error class of the house, and the union of its codes. What each is as an HTTP status and as an exit code is in
// api/error-codes.ts.

/** Stable identifiers of what went wrong; each is listed in docs/reference/errors.md. */
export type ErrorCode =
  | 'usage'
  | 'config_invalid'
  | 'template_invalid'
  | 'template_failed'
  | 'denied'
  | 'not_found'
  | 'mount_not_found'
  | 'upstream_unavailable'
  | 'upstream_sealed'
  | 'upstream_rate_limited'
  | 'upstream_answer_invalid'
  | 'login_failed'
  | 'token_invalid'
  | 'lease_lost'
  | 'file_failed'
  | 'check_failed'
  | 'notify_failed'
  | 'settle_failed'
  | 'process_failed'
  | 'listener_failed'
  | 'audit_failed'
  | 'request_invalid'
  | 'method_not_allowed'
  | 'headers_too_large'
  | 'too_many_connections'
  | 'too_many_requests'
  | 'upstream_denied'
  | 'pending'
  | 'expired'
  | 'not_ready'
  | 'agent_unreachable'
  | 'timeout'
  | 'aborted'
  | 'internal';

interface LatchkeyErrorOptions {
  /** What led to this error; its message is not repeated in ours. */
  cause?: unknown;
  /** What the operator can do about it, as an imperative clause; undefined: nothing that is known. */
  remedy?: string | undefined;
}

/**
 * An error with a code. Messages are lower case, without a final full stop, and say what, where, what came and
 * what was expected; they never hold the value of a secret.
 */
export class LatchkeyError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, options: LatchkeyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LatchkeyError';
    this.code = code;
    this.remedy = options.remedy;
  }
}

/** Parts are loaded when they are wanted first: an upgrade while the agent runs takes those away that were not. */
const partGone =
  'a part of the program is not on the disk any more: it was replaced or removed while this one runs; restart it';

function isPartGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
}

/** What the kernel says of a path below a folder that is held by a descriptor: that path is nobody's words. */
function namesDescriptor(error: unknown): error is Error & { readonly code: string } {
  if (!(error instanceof Error && 'path' in error && 'code' in error)) return false;
  return String(error.path).startsWith('/proc/self/fd/') && typeof error.code === 'string';
}

/** The message of anything that was thrown; a remedy is added after a semicolon. */
export function describeError(error: unknown): string {
  if (error instanceof LatchkeyError && error.remedy !== undefined)
    return `${error.message}; ${error.remedy}`;
  if (isPartGone(error)) return partGone;
  if (namesDescriptor(error)) return error.code;
  return error instanceof Error ? error.message : String(error);
}

/** The code of anything that was thrown: `internal` for what is not ours. */
export function errorCode(error: unknown): ErrorCode {
  return error instanceof LatchkeyError ? error.code : 'internal';
}

export interface ToldError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Both, as they are told together. */
export function codeAndMessage(error: unknown): ToldError {
  return { code: errorCode(error), message: describeError(error) };
}
