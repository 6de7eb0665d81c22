// Lets node:http take Vault's LIST method, which its parser refuses: the refused packet's request line becomes
// `GET …?list=true` and the connection goes to a fresh parser.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

interface ParserError extends Error {
  code?: string;
  rawPacket?: Buffer;
}

// What Node keeps on a server's socket; not in its documented types.
interface ParsedSocket extends Socket {
  parser?: { unconsume(): void } | null;
}

const requestLine = /^LIST ([^ ?]+)(?:\?([^ ]*))? HTTP\/1\.[01]\r\n/;

/** Also answers what is truly malformed with 400, as Node does by itself when nobody listens. */
export function acceptListMethod(server: Server): void {
  server.on('clientError', (error: ParserError, socket: ParsedSocket) => {
    const rewritten =
      error.code === 'HPE_INVALID_METHOD' && error.rawPacket ? rewrite(error.rawPacket) : undefined;
    if (rewritten !== undefined) return parseAgain(server, socket, rewritten);
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
}

function rewrite(packet: Buffer): Buffer | undefined {
  const match = requestLine.exec(packet.subarray(0, 16_384).toString('latin1'));
  if (match === null) return undefined;
  const query = match[2] ? `${match[2]}&list=true` : 'list=true';
  const line = Buffer.from(`GET ${match[1]}?${query} HTTP/1.1\r\n`, 'latin1');
  return Buffer.concat([line, packet.subarray(match[0].length)]);
}

function parseAgain(server: Server, socket: ParsedSocket, packet: Buffer): void {
  socket.parser?.unconsume();
  for (const event of ['data', 'end', 'close', 'drain', 'timeout', 'error']) socket.removeAllListeners(event);
  server.emit('connection', socket);
  socket.unshift(packet);
  socket.resume();
}
