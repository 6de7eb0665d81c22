// How a command says that it failed: a sentence for people, an exit code for programs.
import { errorCodes } from '../api/error-codes.ts';
import { describeError, errorCode } from '../base/errors.ts';

/** Says on stderr what went wrong, and gives the exit code. */
export function reportFailure(error: unknown): number {
  process.stderr.write(`latchkey: ${describeError(error)}\n`);
  return errorCodes[errorCode(error)].exit;
}
