// One GET over a unix socket in the plain case, for a process that does nothing else meanwhile: it waits in the kernel, and
// loads nothing of Node that a command of a moment would pay for. All but the plain case is left to `askSocket`.
import { closeSync, readSync, writeSync } from 'node:fs';
import type { SocketAnswer, SocketRequest } from '../base/system/ask-socket.ts';
import { connect, fcntl, socket } from '../base/system/libc.ts';
import { afUnix, sockCloexec, unixAddress } from '../base/system/unix-address.ts';

const sockStream = 1;
const sockNonBlocking = 0o4000;
const setFlags = 4;
const longestHead = 16 * 1024;

/**
 * Undefined when there was no plain answer: nobody listens, the queue is full, the answer is in chunks or torn. To ask once
 * more is to find out why, in the words of `askSocket`.
 */
export function askPlainly({
  socketPath,
  path,
}: Pick<SocketRequest, 'socketPath' | 'path'>): Pick<SocketAnswer, 'status' | 'body'> | undefined {
  const address = unixAddress(socketPath);
  // On other systems the numbers and the address are others.
  if (process.platform !== 'linux' || address === undefined || !/^[!-~]+$/.test(path)) return undefined;
  let descriptor = -1;
  try {
    descriptor = socket(afUnix, sockStream | sockCloexec | sockNonBlocking, 0);
    if (descriptor < 0 || connect(descriptor, address, address.length) !== 0) return undefined;
    // It did not wait for room in the queue; for its answer it waits.
    if (fcntl(descriptor, setFlags, 0) !== 0) return undefined;
    writeAll(descriptor, `GET ${path} HTTP/1.1\r\nhost: localhost\r\nConnection: close\r\n\r\n`);
    return readAnswer(descriptor);
  } catch {
    // No such call here, or a connection that was cut.
    return undefined;
  } finally {
    if (descriptor >= 0) closeSync(descriptor);
  }
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
}

function readAnswer(descriptor: number): ReturnType<typeof askPlainly> {
  let bytes = Buffer.alloc(longestHead);
  let length = 0;
  let head: PlainHead | undefined;
  while (length < bytes.length) {
    const count = readSync(descriptor, bytes, length, bytes.length - length, null);
    if (count === 0) return undefined;
    length += count;
    if (head === undefined) {
      const end = bytes.subarray(0, length).indexOf('\r\n\r\n');
      if (end === -1) continue;
      head = parseHead(bytes.toString('latin1', 0, end), end + 4);
      if (head === undefined) return undefined;
      bytes = withRoom(bytes.subarray(0, length), head.end);
    }
    if (length > head.end) return undefined;
    if (length === head.end) return { status: head.status, body: bytes.subarray(head.start, head.end) };
  }
  return undefined;
}

function withRoom(bytes: Buffer, size: number): Buffer<ArrayBuffer> {
  const grown = Buffer.alloc(Math.max(size, bytes.length));
  bytes.copy(grown);
  return grown;
}

interface PlainHead {
  readonly status: number;
  readonly start: number;
  readonly end: number;
}

/** Of an answer that says its length once and in figures; no coding of any kind, no word before the answer (1xx). */
function parseHead(text: string, start: number): PlainHead | undefined {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.1 (?<code>[2-5]\d\d)(?: |$)/.exec(statusLine)?.groups?.['code'];
  const lengths = lines.filter((line) => /^content-length[ \t]*:/i.test(line));
  const length = /: ?(?<digits>\d{1,9})$/.exec(lengths[0] ?? '')?.groups?.['digits'];
  if (status === undefined || length === undefined || lengths.length > 1) return undefined;
  if (lines.some((line) => /^(?:transfer|content)-encoding[ \t]*:/i.test(line))) return undefined;
  return { status: Number(status), start, end: start + Number(length) };
}
