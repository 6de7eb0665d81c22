// Tries what the server uses of Node's internals with a request in memory, before a listener relies on it. Each use has
// its fallback: without it the server does the same more slowly, or refuses that one kind of request.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { createSystemClock } from '../../base/time/clock.ts';
import { takeConnectionCheck } from './connection-check.ts';
import { createParserRest } from './parser-rest.ts';
import { takeParser } from './socket-internals.ts';
import { restoreListMethod, takeListMethod } from './vault-list-method.ts';
import { sendWireBytes } from './wire-answer.ts';

export interface NodeInternals {
  /** Head and body can be sent as one piece: `sendWireBytes`. */
  readonly canSendWire: boolean;
  /** A parser that refused Vault's LIST can be exchanged: `takeListMethod`. */
  readonly canTakeList: boolean;
}

/** Until they are tried. */
export const untriedInternals: NodeInternals = { canSendWire: false, canTakeList: false };

const wire = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const longestTryMs = 1000;
const clock = createSystemClock();

/** `onMissing` is told in one line of each that this Node does not have as expected, and what that means. */
export async function tryNodeInternals(onMissing: (message: string) => void): Promise<NodeInternals> {
  const [canSendWire, canTakeList] = await Promise.all([isWireSent(), isListTaken()]);
  const node = `Node ${process.version}`;
  if (!canSendWire)
    onMissing(`${node}: an answer cannot be sent as one piece; answers are sent the slower way`);
  if (!canTakeList)
    onMissing(`${node}: its parser cannot be exchanged; Vault's LIST is refused, use GET with list=true`);
  if (!canRest())
    onMissing(`${node}: its look for slow connections cannot be taken; it goes on when there are none`);
  return { canSendWire, canTakeList };
}

/** Whether a connection can do without a parser while it rests. Tried when the first one would: no start has to wait for it. */
export async function tryParserRest(onMissing: (message: string) => void): Promise<boolean> {
  const isTaken = await isParserRested().catch(() => false);
  if (!isTaken)
    onMissing(
      `Node ${process.version}: its parser cannot be taken off; connections at rest keep ten KiB more`,
    );
  return isTaken;
}

async function isParserRested(): Promise<boolean> {
  const [client, peer] = duplexPair();
  // Node's parser takes any stream that goes both ways.
  const socket = Object.assign(peer, { setTimeout: () => undefined }) as unknown as Socket;
  const server = createServer((_request, response) => response.end('ok'));
  const parse = takeParser(server, 'connection', 'self-test');
  server.emit('listening');
  takeConnectionCheck(server);
  const signal = AbortSignal.timeout(longestTryMs);
  const ask = async (): Promise<string> => {
    client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const [bytes] = (await once(client, 'data', { signal })) as [Buffer];
    return bytes.toString('latin1');
  };
  const counts = (): string =>
    peer
      .eventNames()
      .map((name) => peer.listenerCount(name))
      .join();
  try {
    parse(socket);
    const first = await ask();
    await setImmediate(); // the answer is complete for its writer too
    const before = counts();
    const isBegun = createParserRest(server, parse, () => undefined).begin([socket]).length === 1;
    if (!isBegun || peer.listenerCount('data') !== 1) return false;
    const second = await ask();
    return first.startsWith('HTTP/1.1 200 ') && second.startsWith('HTTP/1.1 200 ') && counts() === before;
  } finally {
    client.destroy();
    peer.destroy();
    server.close();
  }
}

/** As a server that begins to listen. */
function canRest(): boolean {
  const server = createServer();
  server.emit('listening');
  const check = takeConnectionCheck(server);
  server.close();
  return check !== undefined;
}

async function isWireSent(): Promise<boolean> {
  const answer = await answerTo('GET /', (request, response) => {
    if (!sendWireBytes(request, response, Buffer.from(wire))) response.destroy();
  });
  return answer === wire;
}

async function isListTaken(): Promise<boolean> {
  const answer = await answerTo('LIST /v1/some', ({ url = '' }, response) => response.end(url));
  return answer?.endsWith('\r\n\r\n/v1/some?list=true') === true;
}

/** Undefined: it was refused, or nothing came of it. */
async function answerTo(
  line: string,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string | undefined> {
  const [client, peer] = duplexPair();
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => resolve(undefined), longestTryMs);
  const refused = (): void => resolve(undefined);
  try {
    const server = createServer((request, response) => {
      restoreListMethod(request);
      answer(request, response);
    });
    const parse = takeParser(server, 'connection', 'self-test');
    server.on('clientError', (error, socket) => {
      const options = { clock, parse: () => parse(socket as Socket), refuse: refused };
      if (!takeListMethod(error, socket, options)) refused();
    });
    for (const end of [client, peer]) end.once('error', refused).once('close', refused);
    client.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
    // Node's parser takes any stream that goes both ways.
    parse(peer as unknown as Socket);
    client.write(`${line} HTTP/1.1\r\nHost: test\r\n\r\n`);
    return await promise;
  } catch {
    // Whatever an internal that is not as expected throws: it cannot be used.
    return undefined;
  } finally {
    clearTimeout(timer);
    client.destroy();
    peer.destroy();
  }
}
