// Datagrams to a unix socket, which Node has not: the C library sends them.
import { lastErrnoName, sendto, socket } from './libc.ts';
import { afUnix, sockCloexec, unixAddress } from './unix-address.ts';

export interface UnixDatagram {
  /** The name of the error (errno(3)) where it was not sent; never a signal. */
  send(message: Buffer): string | undefined;
}

const sockDgram = 2;
/** Linux, send(2). */
export const doNotWait = 0x40;
const noSignal = 0x4000;

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
  };
}
