// TLS in front of a server that speaks none.
import { type AddressInfo, connect } from 'node:net';
import { createServer } from 'node:tls';
import type { Test } from 'tap';
import type { PemPair } from './certificates.ts';

/** Gives its port. */
export async function startTlsFront(t: Test, port: number, { cert, key }: PemPair): Promise<number> {
  const server = createServer({ cert, key }, (socket) => {
    const behind = connect(port, '127.0.0.1');
    socket.pipe(behind).pipe(socket);
    for (const one of [socket, behind]) {
      one.on('error', () => undefined);
      one.once('close', () => {
        socket.destroy();
        behind.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
