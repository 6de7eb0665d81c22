// TCP connections that have not shown the token yet: few of them at once, so that who knows none takes no place of who does.
import type { Socket } from 'node:net';

export interface UnprovenConnections {
  /** Until what is given is called; of too many the oldest gives way. */
  hold(socket: Socket): () => void;
}

const least = 16;

/** A quarter of `most` may be there at once. */
export function createUnprovenConnections(most: () => number): UnprovenConnections {
  /** By the address of the peer: a raw socket and that of TLS over it, which comes after the handshake, are one. */
  const sockets = new Map<string, Socket>();
  return {
    hold(socket) {
      const address = `${socket.remoteAddress} ${socket.remotePort}`;
      sockets.set(address, socket);
      const [oldest] = sockets.values();
      if (sockets.size > Math.max(least, most() / 4)) oldest?.destroy();
      return () => void sockets.delete(address);
    },
  };
}
