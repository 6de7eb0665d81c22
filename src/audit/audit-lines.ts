// The lines of an audit file that somebody names or that lies in a folder: nothing there keeps the reader waiting, and no line
// is taken in that is longer than any that an agent writes.
import { createReadStream } from 'node:fs';
import { LatchkeyError } from '../base/errors.ts';
import { openNamedFileSync } from '../base/paths/controlled-file.ts';
import { PathFault } from '../base/paths/path-trust.ts';
import { errnoOf } from '../base/system/errno.ts';

export interface AuditLine {
  /** As they are, because a hash is of bytes; none of a line that is too long. */
  readonly bytes: Buffer;
  /** With its newline, which the last one may lack. */
  readonly isWhole: boolean;
  readonly isTooLong: boolean;
}

const longestLineBytes = 1024 * 1024;

/** Throws `not_found` and `audit_failed`. */
export async function* auditLinesOf(file: string): AsyncGenerator<AuditLine> {
  try {
    yield* linesOf(file);
  } catch (error) {
    if (error instanceof PathFault) {
      throw new LatchkeyError('audit_failed', error.message, { cause: error, remedy: error.remedy });
    }
    const code = errnoOf(error);
    if (code === undefined) throw error;
    const kind = code === 'ENOENT' ? 'not_found' : 'audit_failed';
    throw new LatchkeyError(kind, `cannot read ${file} (${code})`, { cause: error });
  }
}

async function* linesOf(file: string): AsyncGenerator<AuditLine> {
  const fd = openNamedFileSync(file, Number.POSITIVE_INFINITY);
  let rest: Buffer[] = [];
  let length = 0;
  const take = (isWhole: boolean): AuditLine => {
    const isTooLong = length > longestLineBytes;
    const line = { bytes: Buffer.concat(rest), isWhole: isWhole && !isTooLong, isTooLong };
    rest = [];
    length = 0;
    return line;
  };
  const add = (bytes: Buffer): void => {
    length += bytes.length;
    if (length > longestLineBytes) rest = [];
    else if (bytes.length > 0) rest.push(bytes);
  };
  for await (const chunk of createReadStream(file, { fd }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      add(chunk.subarray(from, end));
      yield take(true);
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  if (length > 0) yield take(false);
}
