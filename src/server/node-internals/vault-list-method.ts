// Lets a listener take Vault's LIST method, which Node's parser refuses: the connection gets a fresh parser, which is told another
// method in its place, and the request becomes `GET …?list=true`, which means the same to Vault.
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/time/clock.ts';
import { type ParsedSocket, takeParserOff } from './parser-of-socket.ts';

interface ParserError extends Error {
  readonly code?: string | undefined;
  readonly reason?: string;
  readonly rawPacket?: Buffer;
  /** How far the parser came in the packet. */
  readonly bytesParsed?: number;
}

interface TakeOptions {
  readonly clock: Clock;
  /** Puts Node's parser on the socket again. */
  readonly parse: () => void;
  /** It was none after all. */
  readonly refuse: () => void;
}

const method = 'LIST';
/** LINK begins as it does: what is refused is the S, wherever packets end. */
const refusedAt = 2;
/** Of those that Node's parser knows one that nothing here serves. */
const standIn = 'SEARCH';
const longestWaitMs = 10_000;

/** Whose next request is a LIST. */
const listing = new WeakSet<object>();

/** Whether it was a LIST, or may be one yet. */
export function takeListMethod(error: ParserError, socket: ParsedSocket, options: TakeOptions): boolean {
  const { code, reason, rawPacket: packet, bytesParsed = 0 } = error;
  if (code !== 'HPE_INVALID_METHOD' || reason !== 'Invalid method encountered') return false;
  // Further on in the packet it belongs to another request; and a fresh parser knows nothing of an answer that is still owed.
  if (packet === undefined || bytesParsed < 0 || bytesParsed > refusedAt || socket._httpMessage) return false;
  // What came before is gone with the parser: it was what a method may begin with, and no more can be told of it.
  const letters = method.slice(refusedAt - bytesParsed);
  const came = packet.toString('latin1', 0, letters.length);
  if (came !== letters.slice(0, packet.length) || packet.length <= bytesParsed) return false;
  takeParserOff(socket);
  if (came === letters) goOn(packet.subarray(letters.length), socket, options);
  else awaitLast(socket, options);
  return true;
}

/** Before anybody looks at a request. */
export function restoreListMethod(request: IncomingMessage): void {
  if (request.method !== standIn || !listing.delete(request.socket)) return;
  const { url = '' } = request;
  request.method = 'GET';
  request.url = `${url}${url.includes('?') ? '&' : '?'}list=true`.replace('?&', '?');
}

function goOn(rest: Buffer, socket: ParsedSocket, { parse }: TakeOptions): void {
  listing.add(socket);
  parse();
  socket.unshift(Buffer.concat([Buffer.from(standIn), rest]));
  socket.resume();
}

/** The packet ends before the last letter. */
function awaitLast(socket: ParsedSocket, options: TakeOptions): void {
  const listeners = { data, end: refuse, error: cut, close: stop };
  const timer = options.clock.setTimer(longestWaitMs, cut);

  function stop(): void {
    timer.cancel();
    for (const [event, listener] of Object.entries(listeners)) socket.removeListener(event, listener);
  }
  function data(packet: Buffer): void {
    stop();
    if (packet.toString('latin1', 0, 1) === method.at(-1)) goOn(packet.subarray(1), socket, options);
    else options.refuse();
  }
  function refuse(): void {
    stop();
    options.refuse();
  }
  function cut(): void {
    stop();
    socket.destroy();
  }

  for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
  socket.resume();
}
