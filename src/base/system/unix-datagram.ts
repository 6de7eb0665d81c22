// Datagrams to a unix socket, which Node has not: the C library sends them.
import { lastErrnoName, sendto, socket } from './libc.ts';

export interface UnixDatagram {
  /** The name of the error (errno(3)) where it was not sent; never a signal. */
  send(message: Buffer): string | undefined;
}

const afUnix = 1;
const sockDgram = 2;
const sockCloexec = 0o2000000;
/** Linux, send(2). */
export const doNotWait = 0x40;
const noSignal = 0x4000;

/** To the socket that has this path at the time of a message; with `doNotWait` a full one is `EAGAIN`. */
export function createUnixDatagram(path: string, flags = 0): UnixDatagram {
  const descriptor = socket(afUnix, sockDgram | sockCloexec, 0);
  const address = addressOf(path);
  return {
    send(message) {
      const sent = sendto(descriptor, message, message.length, flags | noSignal, address, address.length);
      return sent < 0 ? lastErrnoName() : undefined;
    },
  };
}

/** `struct sockaddr_un`: the family, then the path; `@` begins an abstract name, unix(7). */
function addressOf(path: string): Buffer {
  const name = path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`;
  const family = Buffer.alloc(2);
  family.writeUInt16LE(afUnix);
  return Buffer.concat([family, Buffer.from(name)]);
}
