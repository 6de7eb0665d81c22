// A TCP port of the loopback interface, for a program that cannot bind port 0 and tell which one it got.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const lowest = 10_000;

/**
 * Free a moment ago: somebody else may take it first, so whoever starts a program on it is ready to try another. None of those
 * that the kernel gives away by itself, of which a program that is stopped and started again could lose its own.
 */
export async function freePort(): Promise<number> {
  const room = firstGivenAway() - lowest;
  for (let tries = 0; room > 0 && tries < 100; tries += 1) {
    const port = await listenOnce(lowest + Math.floor(Math.random() * room)).catch(() => undefined);
    if (port !== undefined) return port;
  }
  return await listenOnce(0);
}

/** The lowest of the kernel's, for connections and for whoever listens on port 0. */
function firstGivenAway(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
  } catch {
    return 0; // No Linux: the kernel's own choice it is.
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
