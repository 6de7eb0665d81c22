// Sends an answer whose head and body are one prepared Buffer: half of what a cached lookup costs is Node putting the
// head together and writing it apart from the body. Two fields of OutgoingMessage that its types do not show say that
// the head is out already; where they are not as expected, the caller answers the usual way.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StampedWire } from '../http/prepared-answer.ts';
import { httpLimits } from '../listen/http-limits.ts';

interface HeadState {
  _header: string | null;
  _headerSent: boolean;
}

/** Status line, headers and body as they go over the wire on a kept-alive HTTP/1.1 connection. */
export function wireBytes(headers: readonly string[], body: Buffer, wall: number): Buffer {
  let head = 'HTTP/1.1 200 OK\r\n';
  for (let index = 0; index < headers.length; index += 2)
    head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  head += `Date: ${new Date(wall).toUTCString()}\r\nConnection: keep-alive\r\n`;
  head += `Keep-Alive: timeout=${httpLimits.keepAliveTimeout / 1000}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

/** Whether it was sent. Not for HEAD: its answer has no body. */
export function sendWireBytes(
  request: IncomingMessage,
  response: ServerResponse,
  wire: Buffer | StampedWire,
): boolean {
  const state = response as unknown as HeadState;
  if (request.method === 'HEAD' || request.httpVersionMinor !== 1 || !response.shouldKeepAlive) return false;
  if (state._header !== null || state._headerSent !== false) return false;
  state._header = 'prepared';
  state._headerSent = true;
  if (Buffer.isBuffer(wire)) response.end(wire);
  else {
    response.end(wire.next());
    if (response.writableLength > 0) wire.keepLast();
  }
  return true;
}
