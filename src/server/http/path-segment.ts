// Reads one segment of a request's path.
import { LatchkeyError } from '../../base/errors.ts';

/** Percent-decoded. Throws `usage` where a percent sign begins no escape. */
export function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new LatchkeyError('usage', 'the path is not well percent-encoded', { cause: error });
  }
}
