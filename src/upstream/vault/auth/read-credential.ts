// Reads one credential from a file, without the newline that editors put at its end and the byte order mark that some put
// at its beginning.

import { setTimeout as delay } from 'node:timers/promises';
import { LatchkeyError } from '../../../base/errors.ts';
import { readControlledFile, TrustFault } from '../../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../../base/paths/path-trust.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import { errnoOf } from '../../../base/system/errno.ts';
import type { AuthContext } from './auth-method.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

type Judging = Pick<AuthContext, 'faultOf'>;

/** Throws `login_failed` that names the option and the file. `undefined` when the file is not there and may be missing. */
export async function readCredential(option: string, path: string, context: Judging): Promise<SecretValue> {
  const value = await readCredentialIfThere(option, path, context);
  if (value !== undefined) return value;
  throw new LatchkeyError('login_failed', `${option}: ${path} does not exist`, {
    remedy: 'put the file there; the agent goes on by itself',
  });
}

const mostTornReads = 5;
const tornPauseMs = 20;

/** What somebody writes at this moment is read again, until it stays as it is. */
async function readWhole(path: string, { faultOf }: Judging): Promise<Buffer> {
  for (let reads = 1; ; reads += 1) {
    const { bytes, isTorn } = await readControlledFile(path, { faultOf });
    if (!isTorn || reads === mostTornReads) return bytes;
    await delay(tornPauseMs);
  }
}

/** `what` is to be there, where that is no credential itself. */
export async function readCredentialIfThere(
  option: string,
  path: string,
  context: Judging,
  what = 'the credential',
): Promise<SecretValue | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(path, context);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (error instanceof TrustFault) throw new LatchkeyError('login_failed', error.message, { cause: error });
    throw new LatchkeyError('login_failed', `${option}: ${path} cannot be read (${pathErrorText(error)})`, {
      cause: error,
      remedy: 'make it a file that the user of the agent may read',
    });
  }
  const begin = bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0;
  let end = bytes.length;
  while (end > begin && [newline, carriageReturn, space].includes(bytes[end - 1] ?? 0)) end -= 1;
  if (end === begin) {
    throw new LatchkeyError('login_failed', `${option}: ${path} is empty`, {
      remedy: `write ${what} to it; the agent goes on by itself`,
    });
  }
  return SecretValue.fromBytes(bytes.subarray(begin, end));
}
