// Datagrams to a unix socket, which Node has not: the C library sends them.
import { closeSync, writeSync } from 'node:fs';
import { errnoOf } from './errno.ts';
import { fcntl, lastErrnoName, memfdCreate, sendDescriptor, sendto, socket } from './libc.ts';
import { afUnix, sockCloexec, unixAddress } from './unix-address.ts';

export interface UnixDatagram {
  /** The name of the error (errno(3)) where it was not sent; never a signal. */
  send(message: Buffer): string | undefined;
  /** What is too long (EMSGSIZE): in a file in memory that nobody can change any more, of which the other side is given the descriptor. */
  sendInFile(message: Buffer): string | undefined;
}

const sockDgram = 2;
/** Linux, send(2). */
export const doNotWait = 0x40;
const noSignal = 0x4000;
/** memfd_create(2), fcntl(2). */
const [closeOnExec, allowSealing] = [1, 2];
const addSeals = 1033;
/** Neither its size nor its bytes change, nor this. */
const allSeals = 0xf;
const narrow: ReadonlySet<string> = new Set(['arm', 'ia32', 'mips', 'mipsel', 'ppc', 's390']);

/** To the socket that has this path at the time of a message; with `doNotWait` a full one is `EAGAIN`. */
export function createUnixDatagram(path: string, flags = 0): UnixDatagram {
  const descriptor = socket(afUnix, sockDgram | sockCloexec, 0);
  const address = unixAddress(path);
  return {
    send(message) {
      if (address === undefined) return 'ENAMETOOLONG';
      const sent = sendto(descriptor, message, message.length, flags | noSignal, address, address.length);
      return sent < 0 ? lastErrnoName() : undefined;
    },
    sendInFile(message) {
      if (address === undefined) return 'ENAMETOOLONG';
      if (narrow.has(process.arch)) return 'ENOSYS';
      let file = -1;
      try {
        file = sealedFile(message);
        if (file < 0) return lastErrnoName();
        return sendDescriptor(descriptor, file, flags | noSignal, address) < 0 ? lastErrnoName() : undefined;
      } catch (error) {
        // No room in memory for it, or a C library without these calls.
        return errnoOf(error) ?? 'ENOSYS';
      } finally {
        if (file >= 0) closeSync(file);
      }
    },
  };
}

/** Its descriptor; below 0, the C library has an error. */
function sealedFile(bytes: Buffer): number {
  const file = memfdCreate('latchkey-message', closeOnExec | allowSealing);
  if (file < 0) return file;
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  if (fcntl(file, addSeals, allSeals) >= 0) return file;
  const failed = lastErrnoName();
  closeSync(file);
  throw Object.assign(new Error('the file in memory cannot be sealed'), { code: failed });
}
