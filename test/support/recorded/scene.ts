// Where the recorded requests are made: a server with all dialects whose wall clock moves only when it is told to, and the
// very bytes of its answers but for what is drawn by lot (keyed tags, request ids, tokens) and Node's own date.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../src/base/time/clock.ts';
import { createSystemClock } from '../../../src/base/time/clock.ts';
import type { HookConfig } from '../../../src/config/resolved.ts';
import { portOf, type Serving, startServing, tcpListener, unixListener } from '../serving.ts';
import { loadCredential } from '../systemd-client.ts';
import { awsById } from './upstream-of-aws.ts';
import { answerAs, vaultOf } from './upstream-of-vault.ts';

export const start = Date.UTC(2026, 0, 2, 3, 4, 5);

/** `any`: secrets of AWS by any id, `prefixed`: the same under another prefix. */
export type Place = 'api' | 'aws' | 'any' | 'prefixed' | 'tcp' | 'systemd' | 'hooks' | 'strict';

interface Sent {
  readonly body?: string;
  readonly version?: '1.0' | '1.1';
}

export interface Scene extends Serving {
  /** Adds request and answer to the record. Of a header's value LAST is the last tag, TOKEN that of the TCP listener. */
  ask(
    place: Place,
    method: string,
    path: string,
    headers?: Record<string, string>,
    sent?: Sent,
  ): Promise<void>;
  /** Of a stream: what came up to this text; `act` is called once something came. */
  listen(place: Place, path: string, until: string, act: () => void): Promise<void>;
  /** As systemd asks for it. */
  load(unit: string, id: string): Promise<void>;
  note(text: string): void;
  /** Moves wall time alone. */
  pass(ms: number): void;
}

const tags = /(ETag: (?:W\/)?)"[\w-]{22}"/g;
const ids = /"request_id":"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g;
const dates = /^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/gm;

export interface RecordOptions {
  /** Of a request of so many bytes, the nth: how many come in a packet before the others. */
  readonly splitAt?: (length: number, index: number) => number;
}

/** Makes the requests of `plays` in turn; gives one block for each. */
export async function record(
  plays: readonly ((scene: Scene) => Promise<void>)[],
  { splitAt }: RecordOptions = {},
): Promise<string> {
  let asked = 0;
  const clock = movableClock();
  const serving = await serveAll(clock);
  const parts: string[] = [];
  const etags: string[] = [];
  const token = readFileSync(join(serving.folder, 'token'), 'utf8').trim();
  const port = portOf(serving.server, 'tcp');
  const open = (place: Place): Socket =>
    place === 'tcp' ? connect(port, '127.0.0.1') : connect(join(serving.folder, `${place}.sock`));
  const normalised = (answer: string): string =>
    answer
      .replace(tags, '$1"TAG"')
      .replace(ids, '"request_id":"ID"')
      .replaceAll('\r\n', '\n')
      .replace(dates, 'Date: DATE');
  const scene: Scene = {
    ...serving,
    pass: clock.pass,
    note: (text) => parts.push(`## ${text}\n`),
    async ask(place, method, path, headers = {}, sent = {}) {
      const lines = Object.entries(headers).map(
        ([name, value]) =>
          `${name}: ${value.replace('LAST', etags.at(-1) ?? '').replace('TOKEN', token)}\r\n`,
      );
      const answer = await exchange(open(place), method, path, lines.join(''), {
        ...sent,
        splitAt: (length) => splitAt?.(length, asked),
      });
      asked += 1;
      etags.push(...(/^ETag: (.+)$/m.exec(answer.replaceAll('\r', ''))?.slice(1) ?? []));
      const shown = Object.entries(headers).map(([name, value]) => ` ${name}=${value}`);
      const more = [sent.version, sent.body].flatMap((one) => (one === undefined ? [] : [` ${one}`]));
      parts.push(`> ${place} ${method} ${path}${shown.join('')}${more.join('')}\n${normalised(answer)}\n`);
    },
    async listen(place, path, until, act) {
      const answer = await listenTo(open(place), path, until, act);
      parts.push(`> ${place} GET ${path}\n${normalised(answer)}\n`);
    },
    async load(unit, id) {
      const bytes = await loadCredential(join(serving.folder, 'systemd.sock'), unit, id);
      const digest = createHash('sha256').update(bytes).digest('hex');
      const shown = bytes.length > 1024 ? `${bytes.length} bytes, SHA-256 ${digest}` : bytes.toString('utf8');
      parts.push(`> systemd ${unit} ${id}\n${shown}\n`);
    },
  };
  try {
    for (const play of plays) await play(scene);
    return parts.join('\n');
  } finally {
    await serving.close();
  }
}

function movableClock(): Clock & { pass(ms: number): void } {
  const system = createSystemClock();
  let wall = start;
  return {
    ...system,
    wall: () => wall,
    pass(ms) {
      wall += ms;
    },
  };
}

export const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db';

function serveAll(clock: Clock): Promise<Serving> {
  const uid = process.getuid?.() ?? 0;
  const listener = (folder: string, place: Place, serve: Parameters<typeof unixListener>[1], more = {}) =>
    unixListener(join(folder, `${place}.sock`), serve, { place, ...more });
  const anySecret = { upstream: 'aws', ttlMs: 600_000, cacheSize: 10, servesStale: true };
  const paths = ['secret/*', 'auth/approle/login', 'auth/token/*', 'database/*', 'kv1/*', 'sys/leases/*'];
  const vault = [...paths, 'sys/wrapping/*', 'team/*'].map((path) => ({ path, methods: ['*'] }));
  return startServing({
    clock,
    aliases: { other: 'stripe', 'prod/db': 'db', [arn]: 'db', '/prod/db': 'db' },
    rules: {
      strict: false,
      rules: [
        { name: 'all', client: { uid }, allow: ['*'], vault, admin: true },
        { name: 'some', client: { uid: 4_000_000 }, allow: ['closed'], vault: [], admin: false },
        { name: 'unit', client: { unit: 'app.service' }, allow: ['stripe', 'db'], vault: [], admin: false },
        { name: 'token', client: { token: 'tcp' }, allow: ['stripe', 'db'], vault, admin: false },
      ],
    },
    listeners: (folder) => [
      listener(folder, 'api', ['secrets', 'vault', 'metrics', 'admin']),
      listener(folder, 'aws', ['aws']),
      listener(folder, 'any', ['aws'], { anySecret: { ...anySecret, pathPrefix: '/v1/' } }),
      listener(folder, 'prefixed', ['aws'], { anySecret: { ...anySecret, pathPrefix: '/v1/secrets/' } }),
      listener(folder, 'strict', ['vault'], { requireRequestHeader: true, useAutoAuthToken: 'never' }),
      listener(folder, 'systemd', ['systemd']),
      listener(folder, 'hooks', ['hooks']),
      tcpListener(join(folder, 'token'), ['secrets', 'vault', 'aws'], { place: 'tcp' }),
    ],
    view: {
      vault: vaultOf(clock),
      forward: answerAs(clock),
      awsSecret: awsById,
      hooks: () => [hook],
    },
  });
}

/** Signs with the field `key` of the secret `signing`. */
const hook: HookConfig = {
  name: 'repository',
  proof: {
    ...{ kind: 'hmac', secretFile: undefined, secret: { name: 'signing', field: 'key' } },
    ...{ keyEncoding: 'text', header: 'x-signature', algorithm: 'sha256' },
    ...{
      signed: '{timestamp}.{body}',
      timestampHeader: 'x-timestamp',
      idHeader: 'x-id',
      toleranceMs: 300_000,
    },
  },
  refresh: ['stripe'],
  ...{ maxBodyBytes: 1024, eventsPerMinute: 60, requestsPerMinute: 60 },
};

function exchange(
  socket: Socket,
  method: string,
  target: string,
  headers: string,
  { body, version = '1.1', splitAt }: Sent & { splitAt: (length: number) => number | undefined },
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const head = `${method} ${target} HTTP/${version}\r\nHost: localhost\r\n${headers}${length}\r\n`;
  void writeSplit(socket, Buffer.from(`${head}${body ?? ''}`, 'latin1'), splitAt);
  let bytes = Buffer.alloc(0);
  const done = (): void => {
    socket.destroy();
    resolve(bytes.toString('utf8'));
  };
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (isWhole(bytes, method)) done();
  });
  socket.on('end', done);
  socket.on('error', reject);
  return promise;
}

/** The server is in this process: it has read what came by the next turns of the loop. */
async function writeSplit(
  socket: Socket,
  bytes: Buffer,
  splitAt: (length: number) => number | undefined,
): Promise<void> {
  const at = splitAt(bytes.length);
  if (at === undefined) {
    socket.write(bytes);
    return;
  }
  await once(socket, 'connect');
  socket.setNoDelay();
  socket.write(bytes.subarray(0, at));
  for (let turn = 0; turn < 4; turn += 1) await setImmediate();
  socket.write(bytes.subarray(at));
}

function isWhole(bytes: Buffer, method: string): boolean {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const head = bytes.toString('latin1', 0, end);
  if (method === 'HEAD' || head.startsWith('HTTP/1.1 304')) return true;
  if (/^Transfer-Encoding: chunked/m.test(head)) return bytes.toString('latin1').endsWith('\r\n0\r\n\r\n');
  return bytes.length >= end + 4 + Number(/^Content-Length: (\d+)/m.exec(head)?.[1] ?? 0);
}

function listenTo(socket: Socket, path: string, until: string, act: () => void): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 'latin1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    if (text === '') act();
    text += chunk;
    if (!text.includes(until)) return;
    socket.destroy();
    resolve(text);
  });
  socket.on('end', () => reject(new Error(`${path}: the stream ended`)));
  socket.on('error', reject);
  return promise;
}
