// Errors as answers: the body that carries a code, and its status.
import { type ErrorAnswer, errorCodes } from '../../api/error-codes.ts';
import {
  describeError,
  type ErrorCode,
  errorCode,
  LatchkeyError,
  type ToldError,
} from '../../base/errors.ts';

export interface ApiError extends ToldError {
  readonly status: number;
}

/** Why work for a request ends with it. One for all: of its own each would have a stack, which costs as much as the answer. */
export const requestIsOver = new LatchkeyError('aborted', 'the request is over');

export function apiError(code: ErrorCode, message: string): ApiError {
  return { code, message, status: errorCodes[code].status };
}

/** Of anything thrown. What is not ours says nothing of itself: its message may quote what it worked on. */
export function apiErrorOf(error: unknown): ApiError {
  const code = errorCode(error);
  if (code === 'internal') return apiError('internal', 'the agent failed to answer: see its log');
  return apiError(code, describeError(error));
}

export function errorBody(code: ErrorCode, message: string): string {
  const answer: ErrorAnswer = { error: { code, message } };
  return `${JSON.stringify(answer)}\n`;
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || errorCode(error) === 'aborted');
}
