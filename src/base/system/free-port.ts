// A TCP port of the loopback interface, for a program that cannot bind port 0 and tell which one it got.
import { createServer } from 'node:net';

/** Free a moment ago: somebody else may take it first, so whoever starts a program on it is ready to try another. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
