// Lets a listener take Vault's LIST method, which Node's parser refuses: the refused packet's request line becomes
// `GET …?list=true`, which means the same to Vault, and the connection gets a fresh parser.
import type { Duplex } from 'node:stream';

interface ParserError extends Error {
  readonly code?: string | undefined;
  readonly rawPacket?: Buffer;
  /** How far the parser came in the packet. */
  readonly bytesParsed?: number;
}

/** As Node lets go of one in its freeParser, which nobody else can call. */
interface OldParser {
  unconsume?(): void;
  /** Out of the server's list, which would keep it for ever. */
  remove?(): void;
  close?(): void;
}

/** What Node keeps on a server's socket; not in its documented types. */
interface ParsedSocket extends Duplex {
  parser?: OldParser | null;
  /** The response that is not finished yet. */
  _httpMessage?: object | null;
}

const requestLine = /^LIST (\/[^ ?]*)(?:\?([^ ]*))? HTTP\/1\.1\r\n/;
/** The listeners that Node's HTTP server puts on a socket; ours and those of TLS stay. */
const ofParser = /^(?:bound )?(?:socketOn[A-Z]|onParser|ondrain)/;

/** Whether it was a LIST; then `parse` has been called to put Node's parser on the socket again. */
export function takeListMethod(error: ParserError, socket: ParsedSocket, parse: () => void): boolean {
  const packet = error.code === 'HPE_INVALID_METHOD' ? rewritten(error) : undefined;
  // A fresh parser knows nothing of an answer that is still owed before this one.
  if (packet === undefined || socket._httpMessage) return false;
  const { parser } = socket;
  parser?.unconsume?.();
  for (const event of ['data', 'end', 'close', 'drain', 'timeout', 'error']) {
    for (const listener of socket.listeners(event)) {
      if (ofParser.test(listener.name)) socket.removeListener(event, listener as () => void);
    }
  }
  if (parser) letGo(parser);
  parse();
  socket.unshift(packet);
  socket.resume();
  return true;
}

/** It is at work still: what called us is its own report of the method. */
function letGo(parser: OldParser): void {
  Object.assign(parser, { socket: null, incoming: null, outgoing: null, onIncoming: null });
  parser.remove?.();
  setImmediate(() => parser.close?.());
}

/** Only where the refused method begins the packet: what came before it belongs to another request. */
function rewritten({ rawPacket, bytesParsed = 0 }: ParserError): Buffer | undefined {
  if (rawPacket === undefined || bytesParsed > 'LIST'.length) return undefined;
  const match = requestLine.exec(rawPacket.toString('latin1', 0, 8192));
  if (match === null) return undefined;
  const query = match[2] ? `${match[2]}&list=true` : 'list=true';
  return Buffer.concat([
    Buffer.from(`GET ${match[1]}?${query} HTTP/1.1\r\n`, 'latin1'),
    rawPacket.subarray(match[0].length),
  ]);
}
