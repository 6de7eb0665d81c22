// How much of a listener one client may take: sizes, times, and the answers to those who take more.
import type { IncomingMessage, ServerOptions, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../../base/errors.ts';
import { errorBody } from '../http/api-error.ts';

/** Vault Agent's: headers 10 s, body 30 s, idle 5 min. */
export const httpLimits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 300_000,
  connectionsCheckingInterval: 2000,
  insecureHTTPParser: false,
  requireHostHeader: true,
} as const satisfies ServerOptions;

/** Of an answer of which nothing is taken. */
const unreadTimeoutMs = 60_000;

/** Refused connections that still drain; more than that are cut without a word. */
const maxLingering = 256;
const lingerMs = 1000;
let lingering = 0;

/** A whole answer on a connection that never becomes one: says why, then ends. */
export function refuseConnection(socket: Duplex, status: string, code: ErrorCode, message: string): void {
  if (!socket.writable || lingering >= maxLingering) {
    socket.destroy();
    return;
  }
  const body = errorBody(code, message);
  lingering += 1;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => {
    lingering -= 1;
    clearTimeout(timer);
  });
  socket.on('error', () => socket.destroy());
  // Unread bytes at close would make the kernel send a reset, and the answer might be lost with it.
  socket.resume();
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** To a request that could not be read. */
export function refuseMalformed(socket: Duplex, error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  // The rest of a request that has its answer, after which the connection ends: a second answer would belong to nothing.
  if (error.code === 'HPE_CLOSED_CONNECTION') {
    socket.resume();
    return;
  }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const message = `the headers are longer than ${httpLimits.maxHeaderSize} bytes`;
    refuseConnection(socket, '431 Request Header Fields Too Large', 'headers_too_large', message);
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    refuseConnection(socket, '408 Request Timeout', 'timeout', 'the request did not come in time');
  } else {
    refuseConnection(socket, '400 Bad Request', 'request_invalid', 'the request is not well-formed HTTP/1.1');
  }
}

/** Ends the connection of an answer of which its reader takes nothing for long: Node's own timeout, of which any progress is the end. */
export function cutUnlessTaken(response: ServerResponse, timeoutMs = unreadTimeoutMs): void {
  const { socket } = response.req;
  socket.setTimeout(timeoutMs);
  // Before Node's own listener, which sets how long the connection may be idle.
  response.prependOnceListener('finish', () => socket.setTimeout(0));
}

/** A body that nobody read would be taken in to its end; the connection ends instead. */
export function hasUnreadBody({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}
