// Reads a file that a login needs: a token, a key, what a tool of the cloud left there.
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFile } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';

interface LoginFileOptions {
  /** What it is called in messages; default: its path. */
  readonly what?: string;
  readonly remedy?: string;
  readonly maxBytes?: number;
}

/** Throws `login_failed`. */
export async function readLoginFile(
  path: string,
  { what = path, remedy, ...limits }: LoginFileOptions = {},
): Promise<string> {
  try {
    return (await readControlledFile(path, limits)).bytes.toString('utf8');
  } catch (error) {
    throw new LatchkeyError('login_failed', `${what} cannot be read (${pathErrorText(error)})`, {
      cause: error,
      remedy,
    });
  }
}
