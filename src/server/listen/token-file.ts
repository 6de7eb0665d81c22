// The token of a TCP listener: 32 random bytes in a file of the agent's own, kept over restarts while nobody else
// could have read or written it.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from '../../base/errno.ts';
import { LatchkeyError } from '../../base/errors.ts';

const wellFormed = /^[A-Za-z0-9_-]{43}$/;

/** The token's text. Throws `listener_failed` when the file cannot be written. */
export function provideTokenFile(place: string, path: string): string {
  const known = readOwnToken(path);
  if (known !== undefined) return known;
  const token = randomBytes(32).toString('base64url');
  const staged = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    rmSync(staged, { force: true });
    const fd = openSync(
      staged,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      writeSync(fd, token);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    const code = errnoOf(error) ?? 'unknown error';
    throw new LatchkeyError('listener_failed', `${place}.token_file: cannot write ${path}: ${code}`, {
      cause: error,
      remedy: 'name a file in a folder that the agent may write to',
    });
  }
  return token;
}

/** Only from a regular file of our own that nobody else may read. */
function readOwnToken(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Not there, or a link: a new one is written over it.
    return undefined;
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile() || status.uid !== process.geteuid?.() || (status.mode & 0o077) !== 0)
      return undefined;
    const text = readFileSync(fd, 'latin1').trim();
    return wellFormed.test(text) ? text : undefined;
  } finally {
    closeSync(fd);
  }
}
