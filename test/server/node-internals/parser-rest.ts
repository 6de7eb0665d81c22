// A connection goes on after a rest as if there had been none, however often.
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createParserRest } from '../../../src/server/node-internals/parser-rest.ts';
import { tryParserRest } from '../../../src/server/node-internals/self-test.ts';
import { takeParser } from '../../../src/server/node-internals/socket-internals.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

interface Pair {
  readonly client: Socket;
  readonly socket: Socket & { parser?: object | null };
  readonly server: Server;
  readonly woken: Socket[];
  rest(): boolean;
  end(): void;
  /** What the client has received since it was last asked. */
  received(pattern: RegExp): Promise<string>;
}

const get = 'GET /a HTTP/1.1\r\nHost: test\r\n\r\n';

async function connected(t: Test, answer: RequestListener, keepAliveTimeout = 60_000): Promise<Pair> {
  const server = createServer({ keepAliveTimeout }, answer);
  const path = join(testFolder(t), 'a.sock');
  const parse = takeParser(server, 'connection', 'test');
  const accepted = new Promise<Socket>((resolve) => {
    server.on('connection', (socket: Socket) => {
      parse(socket);
      resolve(socket);
    });
  });
  await once(server.listen(path), 'listening');
  const client = connect(path);
  t.teardown(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  let text = '';
  client.setEncoding('latin1').on('data', (bytes: string) => {
    text += bytes;
  });
  client.on('error', () => undefined);
  const socket = await accepted;
  const woken: Socket[] = [];
  const rest = createParserRest(server, parse, (one) => woken.push(one));
  return {
    ...{ client, socket, server, woken },
    rest: () => rest.begin([socket]).includes(socket),
    end: rest.end,
    async received(pattern) {
      await waitFor(String(pattern), () => pattern.test(text));
      const all = text;
      text = '';
      await setImmediate(); // the answer is complete for its writer too
      return all;
    },
  };
}

const echo: RequestListener = (request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => response.end(`${request.method} ${request.url} ${body};`));
};

const listenersOf = ({ socket }: Pair): string =>
  socket
    .eventNames()
    .map((name) => `${String(name)} ${socket.listenerCount(name)}`)
    .sort()
    .join();

t.test('answers after a rest, as often as there is one', async (t) => {
  const pair = await connected(t, echo);
  pair.client.write(get);
  await pair.received(/GET \/a ;/);
  const before = listenersOf(pair);
  for (let round = 1; round <= 15; round += 1) {
    t.ok(pair.rest());
    t.equal(pair.socket.parser, null);
    t.notOk(pair.rest(), 'it rests already');
    pair.client.write(get);
    t.match(await pair.received(/GET \/a ;/), /^HTTP\/1\.1 200 OK\r\n/);
    t.equal(pair.woken.length, round);
    t.equal(listenersOf(pair), before);
    pair.client.write(get);
    await pair.received(/GET \/a ;/);
  }
});

t.test('takes what comes in pieces, with a body, or two at once, after a rest', async (t) => {
  const pair = await connected(t, echo);
  pair.client.write(get);
  await pair.received(/GET \/a ;/);
  t.ok(pair.rest());
  pair.client.write('POST /b HTTP/1.1\r\nHo');
  await waitFor('it is awake', () => pair.woken.length === 1);
  t.notOk(pair.rest(), 'not in the middle of a head');
  pair.client.write('st: test\r\nContent-Length: 6\r\n\r\nabc');
  await setImmediate();
  t.notOk(pair.rest(), 'nor of a body');
  pair.client.write('def');
  await pair.received(/POST \/b abcdef;/);
  t.ok(pair.rest());
  pair.client.write(get + get.replace('/a', '/c'));
  await pair.received(/GET \/a ;(?:.|\n|\r)*GET \/c ;/);
  t.ok(pair.rest());
  const body = 'x'.repeat(300_000);
  pair.client.write(`PUT /d HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  t.match(await pair.received(/PUT \/d x+;/), body);
});

t.test('does not rest before the first request, nor while an answer is owed', async (t) => {
  let answer = (): void => undefined;
  const pair = await connected(t, (_request, response) => {
    answer = () => response.end('late;');
  });
  t.notOk(pair.rest());
  const asked = once(pair.server, 'request');
  pair.client.write(get);
  await asked;
  t.notOk(pair.rest());
  answer();
  await pair.received(/late;/);
  t.ok(pair.rest());
});

t.test('a connection at rest ends with its client, with its time, and with its listener', async (t) => {
  for (const [how, end, time] of [
    ['half closed', (pair: Pair) => pair.client.end()],
    ['closed', (pair: Pair) => pair.client.destroy()],
    ['idle for too long', () => undefined, 50],
    ['the listener ends', (pair: Pair) => pair.end()],
    ['failed', (pair: Pair) => pair.socket.emit('error', new Error('broken'))],
  ] as const) {
    const pair = await connected(t, echo, time);
    pair.client.write(get);
    await pair.received(/GET \/a ;/);
    t.ok(pair.rest(), how);
    end(pair);
    await waitFor(`${how}: it is closed`, () => pair.socket.destroyed);
    pair.end();
  }
});

t.test('what is refused after a rest is refused as ever', async (t) => {
  const pair = await connected(t, echo);
  pair.client.write(get);
  await pair.received(/GET \/a ;/);
  t.ok(pair.rest());
  pair.client.write('nonsense\r\n\r\n');
  await pair.received(/^HTTP\/1\.1 400 Bad Request/);
  await waitFor('it is closed', () => pair.socket.destroyed);
});

t.test('this Node lets go of a parser', async (t) => {
  const told: string[] = [];
  t.ok(await tryParserRest((message) => told.push(message)));
  t.same(told, []);
});
