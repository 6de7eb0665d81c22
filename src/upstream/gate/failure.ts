// A failed request as the upstream itself sees it: beside the error's code, whether the whole server is concerned and
// whether the request can have had an effect there.
import { type ErrorCode, LatchkeyError } from '../../base/errors.ts';
import { UpstreamError } from '../../base/upstream-error.ts';
import type { SourceStateName } from '../source-state.ts';

/** States in which the server as a whole does not serve. */
export type AwayState = Extract<
  SourceStateName,
  | 'sealed'
  | 'uninitialized'
  | 'standby'
  | 'rate_limited'
  | 'unavailable'
  | 'tls_failed'
  | 'dns_failed'
  | 'answer_invalid'
>;

const codes: Readonly<Record<AwayState, ErrorCode>> = {
  sealed: 'upstream_sealed',
  uninitialized: 'upstream_sealed',
  standby: 'upstream_unavailable',
  rate_limited: 'upstream_rate_limited',
  unavailable: 'upstream_unavailable',
  tls_failed: 'upstream_unavailable',
  dns_failed: 'upstream_unavailable',
  answer_invalid: 'upstream_answer_invalid',
};

interface FailureOptions {
  cause?: unknown;
  remedy?: string | undefined;
  retryAfterMs?: number;
  status?: number;
  answerHeaders?: Readonly<Record<string, string>>;
  /** The server may have acted on the request: it must not be repeated elsewhere. Default false. */
  wasSent?: boolean;
  /** The connection ended before the answer did. Default false. */
  isCut?: boolean;
  /** Nothing came for a part of its time: the connection may be dead, and asking again elsewhere does no harm. Default false. */
  isSilent?: boolean;
}

export class UpstreamFailure extends UpstreamError {
  readonly state: AwayState;
  readonly wasSent: boolean;
  readonly isCut: boolean;
  readonly isSilent: boolean;

  constructor(state: AwayState, message: string, options: FailureOptions = {}) {
    const { wasSent, isCut, isSilent, ...rest } = options;
    super(codes[state], message, rest);
    this.name = 'UpstreamFailure';
    this.state = state;
    this.wasSent = wasSent ?? false;
    this.isCut = isCut ?? false;
    this.isSilent = isSilent ?? false;
  }
}

export function isAborted(error: unknown): boolean {
  return error instanceof LatchkeyError && error.code === 'aborted';
}

export function givenUp(): LatchkeyError {
  return new LatchkeyError('aborted', 'the request was given up while it waited for its turn');
}
