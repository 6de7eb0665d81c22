// Reads a file that a login needs: a token, a key, what a tool of the cloud left there.
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFile, TrustFault } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';
import type { FaultOf } from '../../base/surroundings.ts';

interface LoginFileOptions {
  /** What it is called in messages; default: its path. */
  readonly what?: string;
  readonly remedy?: string;
  readonly maxBytes?: number;
  readonly faultOf: FaultOf | undefined;
  readonly isOfAnother?: boolean;
}

/** Throws `login_failed`. */
export async function readLoginFile(
  path: string,
  { what = path, remedy, ...limits }: LoginFileOptions,
): Promise<string> {
  try {
    return (await readControlledFile(path, limits)).bytes.toString('utf8');
  } catch (error) {
    if (error instanceof TrustFault) throw new LatchkeyError('login_failed', error.message, { cause: error });
    throw new LatchkeyError('login_failed', `${what} cannot be read (${pathErrorText(error)})`, {
      cause: error,
      remedy,
    });
  }
}

/** Whether it is for that that it was not read. */
export function isOfOthers(error: unknown): boolean {
  return error instanceof LatchkeyError && error.cause instanceof TrustFault;
}
