// The two questions about the other end of a unix socket. Each platform has one file that answers them.
import type { Caller } from './caller.ts';

/** One process, whoever is given its pid later. */
export interface ProcessWatch {
  isAlive(): boolean;
  close(): void;
}

export interface PeerReader {
  /**
   * Who connected to the socket with this descriptor, as the kernel recorded it then. Never throws: what cannot be
   * found out makes an unknown caller.
   */
  identify(fd: number): Caller;
  /** The same, and a watch on that process, to be closed; undefined: there is nothing that could be watched. */
  follow(fd: number): { readonly caller: Caller; readonly watch: ProcessWatch | undefined };
  /** The uid alone, which costs next to nothing; undefined: the kernel does not tell. */
  uidOf(fd: number): number | undefined;
  /** The address that the peer bound its end to, without a leading NUL of an abstract one; undefined: none. */
  peerAddress(fd: number): Buffer | undefined;
}
