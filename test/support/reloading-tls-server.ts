// A TLS server as services of old are: reads its certificate and key at the start and on HUP, and keeps the pair that it has
// when the new one does not fit. `node reloading-tls-server.ts CERT KEY PORT-FILE`.
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';

const [certPath = '', keyPath = '', portPath = ''] = process.argv.slice(2);
const readPair = () => ({ cert: readFileSync(certPath), key: readFileSync(keyPath) });

const server = createServer(readPair(), (socket) => {
  socket.on('error', () => undefined); // a client that has seen enough
  socket.end();
});
process.on('SIGHUP', () => {
  try {
    server.setSecureContext(readPair());
  } catch (error) {
    console.log(`kept the pair: ${error instanceof Error ? error.message : error}`);
  }
});
server.listen(0, '127.0.0.1', () => {
  writeFileSync(portPath, String((server.address() as AddressInfo).port));
});
