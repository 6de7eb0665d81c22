// Makes requests that nobody should send: malformed, oversized, smuggling, pipelined, cut short; and sends them.
import { connect, type NetConnectOpts } from 'node:net';

export interface FuzzedRequest {
  readonly kind: string;
  readonly bytes: Buffer;
  /** How it is sent: at once; in pieces; and then waiting for an end, ending, or cutting the connection. */
  readonly pieces: number;
  readonly ending: 'wait' | 'end' | 'cut';
}

type Random = () => number;

const paths = [
  '/secrets',
  '/secrets/stripe',
  '/secrets/stripe/key',
  '/secrets/stripe?wait=1ms',
  '/secrets/%73tripe',
  '/secrets/../secrets/stripe',
  '//secrets/stripe',
  '/secrets/stripe/../stripe',
  '/./secrets/stripe',
  '/secrets/stripe%00',
  '/secrets/%',
  '/secrets/stripe#x',
  '/healthz',
  '/readyz',
  '/events',
  '/status',
  '/metrics',
  '/refresh',
  '/reload',
  '/log-level/debug',
  '/who-has/stripe',
  '/who-has/%',
  '/drill/stripe',
  '/access/test',
  '/v1/secret/data/app',
  '/agent/v1/quit',
  '/secretsmanager/get?secretId=stripe',
  '/credentials/aws/stripe',
  '/ping',
  'http://localhost/secrets/stripe',
  'http://evil.example/secrets/stripe',
  'localhost:80',
  '*',
  '/',
  '',
  '?',
  '/secrets/stripe HTTP/1.1\r\nX: y',
  '/secrets/stripe\u0000',
  `/${'a/'.repeat(500)}`,
];
const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'LIST',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'PATCH',
  'get',
  'G\u0000T',
  '',
  'PRI',
  'MKCALENDAR',
];
const versions = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.2', 'HTTP/1.1 ', 'http/1.1', ''];
const oddHeaders = [
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 5\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  ' Folded: x',
  'No-Colon',
  ': empty',
  'A\u0000B: c',
  'A: b\u0000c',
  'A: b\nC: d',
  'A: b\rC: d',
  'Expect: 100-continue',
  'Expect: 200-nonsense',
  'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings',
  'Upgrade: websocket\r\nConnection: Upgrade',
  'Connection: close',
  'Connection: keep-alive, close',
  'Host: evil.example',
  'Origin: http://evil.example',
  'X-Forwarded-For: 127.0.0.1',
  'Authorization: Bearer x',
  'X-Vault-Token: x',
  'If-None-Match: *',
  'If-None-Match: "',
  'Range: bytes=0-',
  'TE: trailers',
  'Cookie: a=b',
];
const bodies = [
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  'ffffffffffffffff\r\nx',
  '-1\r\n',
  '5;ext=\u0000\r\nhello\r\n0\r\nTrailer: x\r\n\r\n',
  '0\r\n\r\nGET /secrets/stripe HTTP/1.1\r\nHost: localhost\r\n\r\n',
  '{"names":["stripe"]}',
];

export function fuzzRequest(random: Random): FuzzedRequest {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const kinds: Record<string, () => Buffer> = {
    odd: () => latin(oddRequest(pick, random)),
    smuggling: () =>
      latin(
        `POST ${pick(paths)} HTTP/1.1\r\nHost: localhost\r\n${pick(oddHeaders)}\r\n\r\n${pick(bodies)}${plain(pick)}`,
      ),
    pipelined: () =>
      latin(
        Array.from({ length: 1 + Math.floor(random() * 30) }, () =>
          random() < 0.8 ? plain(pick) : oddRequest(pick, random),
        ).join(''),
      ),
    mutated: () => mutate(latin(plain(pick)), random),
    oversized: () => latin(oversized(pick, random)),
    binary: () =>
      Buffer.from(Array.from({ length: 1 + Math.floor(random() * 600) }, () => Math.floor(random() * 256))),
    foreign: () =>
      latin(
        pick([
          'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
          '\u0016\u0003\u0001\u0002\u0000\u0001',
          'SSH-2.0-OpenSSH_9\r\n',
          '*1\r\n$4\r\nPING\r\n',
          '\r\n\r\n\r\n',
          '\n\n',
        ]),
      ),
    short: () => latin(plain(pick)).subarray(0, Math.floor(random() * 40)),
  };
  const kind = pick(Object.keys(kinds));
  const bytes = kinds[kind]?.() ?? Buffer.alloc(0);
  return {
    kind,
    bytes,
    pieces: random() < 0.2 ? 1 + Math.floor(random() * 8) : 1,
    ending: pick(['wait', 'end', 'end', 'cut']),
  };
}

type Pick = <T>(list: readonly T[]) => T;

function plain(pick: Pick): string {
  return `GET ${pick(paths)} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

function oddRequest(pick: Pick, random: Random): string {
  const headers = Array.from({ length: Math.floor(random() * 4) }, () => `${pick(oddHeaders)}\r\n`).join('');
  const host = random() < 0.8 ? 'Host: localhost\r\n' : '';
  return `${pick(methods)} ${pick(paths)} ${pick(versions)}\r\n${host}${headers}\r\n${pick(bodies)}`;
}

function oversized(pick: Pick, random: Random): string {
  const size = 10_000 + Math.floor(random() * 90_000);
  return pick([
    `GET /${'a'.repeat(size)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    `GET /secrets/stripe HTTP/1.1\r\nHost: localhost\r\nX: ${'b'.repeat(size)}\r\n\r\n`,
    `GET /secrets/stripe HTTP/1.1\r\nHost: localhost\r\n${'c:\r\n'.repeat(3000)}Origin: x\r\n\r\n`,
    `POST /refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n${'d'.repeat(size)}`,
    `POST /refresh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\ne\r\n'.repeat(size / 100)}0\r\n\r\n`,
    `GET /secrets/${'%41'.repeat(4000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  ]);
}

function mutate(bytes: Buffer, random: Random): Buffer {
  for (let count = 1 + Math.floor(random() * 5); count > 0; count -= 1) {
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  }
  return bytes;
}

function latin(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Sends it and gives back all that came, by the end of the connection or `patienceMs` after the last byte was sent. */
export async function sendFuzzed(
  target: NetConnectOpts,
  request: FuzzedRequest,
  patienceMs: number,
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  const socket = connect({ ...target, allowHalfOpen: false });
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Resets are what some of these ask for.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  const size = Math.ceil(request.bytes.length / request.pieces);
  for (let at = 0; at < request.bytes.length; at += size) {
    socket.write(request.bytes.subarray(at, at + size));
    if (request.pieces > 1) await new Promise((next) => setImmediate(next));
  }
  if (request.ending === 'end') socket.end();
  if (request.ending === 'cut') setImmediate(() => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), patienceMs);
  const text = await promise;
  clearTimeout(timer);
  return text;
}

/** The status of each answer in what came back over one connection. */
export function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}
