// Node's HTTP parser is ten of the twelve KiB that a connection takes. One that nothing comes from for a while goes without, and
// gets another with the next bytes.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type NodeParser, type ParsedSocket, takeParserOff } from './parser-of-socket.ts';

export interface ParserRest {
  /** Which of them rest from now on: those that are not in the middle of a message, and are owed no answer. */
  begin(sockets: readonly Socket[]): Socket[];
  /** Ends those at rest. */
  end(): void;
}

interface ParserList {
  /** Of the parsers that have read a message to its end, and nothing of the next. */
  idle(): NodeParser[];
}

/** `parse` puts Node's parser on a socket; `onWake` is told of each that goes on. */
export function createParserRest(
  server: Server,
  parse: (socket: Socket) => void,
  onWake: (socket: Socket) => void,
): ParserRest {
  const resting = new Set<Socket>();
  const listeners = { data: wake, end: endWithPeer, close: forget, timeout: cut, error: cut };

  function wake(this: Socket, packet: Buffer): void {
    forget.call(this);
    for (const [event, listener] of Object.entries(listeners)) this.removeListener(event, listener);
    // How long it may be idle is over; the parser that it gets looks after the time of the request.
    this.setTimeout(0);
    const { _handle: handle } = this as ParsedSocket;
    // Else Node takes it for a socket whose bytes go another way, and reads them in two steps from now on.
    if (handle?._consumed === true) handle._consumed = false;
    parse(this);
    this.emit('data', packet);
    onWake(this);
  }

  function endWithPeer(this: Socket): void {
    this.end();
  }

  function cut(this: Socket): void {
    this.destroy();
  }

  function forget(this: Socket): void {
    resting.delete(this);
  }

  return {
    begin(sockets) {
      const idle = new Set(parsersOf(server)?.idle());
      const begun = sockets.filter((socket) => isIdle(socket, idle));
      for (const socket of begun) {
        takeParserOff(socket);
        for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
        resting.add(socket);
        socket.resume();
      }
      return begun;
    },
    end() {
      for (const socket of resting) socket.destroy();
    },
  };
}

/** Of a server that listens. Undefined: Node keeps it elsewhere, and no connection rests. */
function parsersOf(server: Server): ParserList | undefined {
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  );
  const list = symbol && (Reflect.get(server, symbol) as Partial<ParserList> | undefined);
  return typeof list?.idle === 'function' ? (list as ParserList) : undefined;
}

function isIdle(socket: ParsedSocket, idle: ReadonlySet<NodeParser>): boolean {
  const { parser, _httpMessage: owed } = socket;
  if (!parser || !idle.has(parser) || owed) return false;
  return socket.writable && socket.writableLength === 0 && socket.readableLength === 0;
}
