// Lets a listener take Vault's LIST method, which Node's parser refuses: the refused packet's request line becomes
// `GET …?list=true`, which means the same to Vault, and the connection gets a fresh parser.
import { type ParsedSocket, takeParserOff } from './parser-of-socket.ts';

interface ParserError extends Error {
  readonly code?: string | undefined;
  readonly rawPacket?: Buffer;
  /** How far the parser came in the packet. */
  readonly bytesParsed?: number;
}

const requestLine = /^LIST (\/[^ ?]*)(?:\?([^ ]*))? HTTP\/1\.1\r\n/;

/** Whether it was a LIST; then `parse` has been called to put Node's parser on the socket again. */
export function takeListMethod(error: ParserError, socket: ParsedSocket, parse: () => void): boolean {
  const packet = error.code === 'HPE_INVALID_METHOD' ? rewritten(error) : undefined;
  // A fresh parser knows nothing of an answer that is still owed before this one.
  if (packet === undefined || socket._httpMessage) return false;
  takeParserOff(socket);
  parse();
  socket.unshift(packet);
  socket.resume();
  return true;
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
