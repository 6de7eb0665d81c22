// Takes Node's HTTP parser off a server's socket, with all that Node has put there for it, so that another can be put on.
import type { Duplex } from 'node:stream';

/** As Node lets go of one in its freeParser, which nobody else can call. */
export interface NodeParser {
  unconsume?(): void;
  /** Out of the server's list, which would keep it for ever. */
  remove?(): void;
  close?(): void;
}

/** What Node keeps on a server's socket; not in its documented types. */
export interface ParsedSocket extends Duplex {
  parser?: NodeParser | null;
  /** The response that is not finished yet. */
  _httpMessage?: object | null;
  /** Undefined: a stream that is no socket of the system's. */
  readonly _handle?: { _consumed?: boolean } | null;
}

const eventsOfParser = ['data', 'end', 'close', 'drain', 'timeout', 'error', 'pause', 'resume'];
/** The listeners that Node's HTTP server puts on a socket; ours and those of TLS stay. */
const ofParser = /^(?:bound )?(?:socketOn[A-Z]|onSocket[A-Z]|onParser|ondrain)/;

export function takeParserOff(socket: ParsedSocket): void {
  const { parser } = socket;
  parser?.unconsume?.();
  for (const event of eventsOfParser) {
    for (const listener of socket.listeners(event)) {
      if (ofParser.test(listener.name)) socket.removeListener(event, listener as () => void);
    }
  }
  if (parser) letGo(parser);
  socket.parser = null;
}

/** It may be at work still: what called us is its own report of what it cannot read. */
function letGo(parser: NodeParser): void {
  Object.assign(parser, { socket: null, incoming: null, outgoing: null, onIncoming: null });
  parser.remove?.();
  setImmediate(() => parser.close?.());
}
