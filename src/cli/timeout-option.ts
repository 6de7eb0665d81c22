// `--timeout` of the commands that wait for secrets.

import { describeError, LatchkeyError } from '../base/errors.ts';
import { parseDuration } from '../base/time/duration.ts';

/** What Node's timers take, 24 days; longer ones would fire at once. */
const longestMs = 2 ** 31 - 1;

export function timeoutSignal(text: string): AbortSignal {
  try {
    return AbortSignal.timeout(Math.min(parseDuration(text), longestMs));
  } catch (error) {
    throw new LatchkeyError('usage', `--timeout: ${describeError(error)}`, { cause: error });
  }
}
