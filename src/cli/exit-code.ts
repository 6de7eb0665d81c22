// Exit codes, as scripts rely on them: 0 fine, 1 failed, 2 bad usage or config, 3 not allowed, 4 not found, 5 upstream away.
import { describeError, type ErrorCode, errorCode } from '../base/errors.ts';

const codes: Partial<Record<ErrorCode, number>> = {
  usage: 2,
  config_invalid: 2,
  template_invalid: 2,
  request_invalid: 2,
  denied: 3,
  login_failed: 3,
  token_invalid: 3,
  not_found: 4,
  mount_not_found: 4,
  upstream_unavailable: 5,
  upstream_sealed: 5,
  upstream_rate_limited: 5,
  upstream_answer_invalid: 5,
};

function exitCodeOf(error: unknown): number {
  return exitCodeOfCode(errorCode(error));
}

export function exitCodeOfCode(code: ErrorCode): number {
  return codes[code] ?? 1;
}

/** Says on stderr what went wrong, for people, and gives the exit code for programs. */
export function reportFailure(error: unknown): number {
  process.stderr.write(`latchkey: ${describeError(error)}\n`);
  return exitCodeOf(error);
}
