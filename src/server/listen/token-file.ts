// The token of a TCP listener: 32 random bytes in a file of the agent's own, kept over restarts while nobody else
// could have read or written it.

import { randomBytes } from 'node:crypto';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { PathFault, pathErrorText, trusting } from '../../base/paths/path-trust.ts';
import { replaceFileSync } from '../../base/paths/replace-file.ts';

const wellFormed = /^[A-Za-z0-9_-]{43}$/;

/** The token's text: what is in the file, else `current`, else a new one. Throws `listener_failed` when the file cannot be written. */
export function provideTokenFile(place: string, path: string, current?: string): string {
  const known = readOwnToken(path);
  if (known !== undefined) return known;
  const token = current ?? randomBytes(32).toString('base64url');
  try {
    replaceFileSync(path, token, { mode: 0o600, createMode: 0o755, sweeps: true });
  } catch (error) {
    throw new LatchkeyError(
      'listener_failed',
      `${place}.token_file: cannot write ${path}: ${pathErrorText(error)}`,
      {
        cause: error,
        remedy:
          error instanceof PathFault ? error.remedy : 'name a file in a folder that the agent may write to',
      },
    );
  }
  return token;
}

/** Only from a regular file of our own that nobody else may read. */
function readOwnToken(path: string): string | undefined {
  try {
    const { bytes, stats } = readControlledFileSync(path, { trust: trusting() });
    if (stats.uid !== process.geteuid?.() || (stats.mode & 0o077) !== 0 || stats.nlink !== 1)
      return undefined;
    const text = bytes.toString('latin1').trim();
    return wellFormed.test(text) ? text : undefined;
  } catch {
    // Not there, or none of ours: a new one is written over it.
    return undefined;
  }
}
