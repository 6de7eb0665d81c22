// What an upstream's refusal carries beside its code, for those who plan the next try or pass the answer on.
import { type ErrorCode, LatchkeyError } from './errors.ts';

interface UpstreamErrorOptions {
  cause?: unknown;
  remedy?: string | undefined;
  /** How long upstream asked to be left alone (Retry-After). */
  retryAfterMs?: number;
  /** The HTTP status, where there was an answer. */
  status?: number;
  /** Headers of that answer which a client should see that is answered with this error (Retry-After, X-RateLimit-…). */
  answerHeaders?: Readonly<Record<string, string>>;
}

export class UpstreamError extends LatchkeyError {
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;
  readonly answerHeaders: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, message: string, options: UpstreamErrorOptions = {}) {
    super(code, message, options);
    this.name = 'UpstreamError';
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
    this.answerHeaders = options.answerHeaders;
  }
}
