// What Node keeps of sockets and servers and does not document: a socket's descriptor, and the listener that puts the
// HTTP parser on a socket. Nothing stands in for them: a listener that needs one which is missing does not start.
import type { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { LatchkeyError } from '../../base/errors.ts';

interface WithHandle {
  readonly _handle?: { readonly fd?: number } | null;
}

/** Of a socket that is still open: Node keeps it in its handle. */
export function fdOf(socket: Socket): number | undefined {
  const fd = handleOf(socket)?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

/** A server has a handle of the same kind as the sockets that it accepts. It listens. */
export function mustTellDescriptors(server: Server, place: string): void {
  const fd = handleOf(server)?.fd;
  if (typeof fd === 'number' && fd >= 0) return;
  throw missing(place, 'the descriptor of a socket (_handle.fd), by which the kernel tells who connected');
}

/** Puts the HTTP parser on a socket; from here on whoever has it decides which sockets get one. */
export function takeParser(
  server: HttpServer,
  event: 'connection' | 'secureConnection',
  place: string,
): (socket: Socket) => void {
  const [parse, ...others] = server.listeners(event);
  if (typeof parse !== 'function' || others.length > 0)
    throw missing(place, `one listener of its HTTP server for ${event}, which puts the parser on a socket`);
  server.removeAllListeners(event);
  return (socket) => parse.call(server, socket);
}

function handleOf(owner: Socket | Server): WithHandle['_handle'] {
  return (owner as unknown as WithHandle)._handle;
}

function missing(place: string, what: string): LatchkeyError {
  return new LatchkeyError('listener_failed', `${place}: Node ${process.version} lacks ${what}`, {
    remedy: 'use the release of Node that this agent was built for',
  });
}
