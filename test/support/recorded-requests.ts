// A fixed series of requests to every dialect, as text to compare with what was recorded: the very bytes of each answer,
// but for what is drawn by lot (keyed tags, request ids) and Node's own date.
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../src/base/time/clock.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { versionIdOf } from '../../src/server/aws/aws-secret.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { answerOf, type Serving, startServing, unixListener } from './serving.ts';

const start = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Scene extends Serving {
  /** Adds request and answer to the record. `headers` as they go over the wire. */
  ask(socket: Socket, method: string, path: string, headers?: Record<string, string>): Promise<void>;
  note(text: string): void;
  /** Moves wall time alone. */
  pass(ms: number): void;
}

type Socket = 'api' | 'aws';

const tags = /(ETag: (?:W\/)?)"[\w-]{22}"/g;
const ids = /"request_id":"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g;
const dates = /^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/gm;

/** The whole record, one block for each request. */
export async function recordAnswers(): Promise<string> {
  const clock = movableClock();
  const serving = await serveAll(clock);
  const parts: string[] = [];
  const etags: string[] = [];
  const scene: Scene = {
    ...serving,
    pass: clock.pass,
    note: (text) => parts.push(`## ${text}\n`),
    async ask(socket, method, path, headers = {}) {
      const sent = Object.entries(headers).map(
        ([name, value]) => [name, value === 'LAST' ? (etags.at(-1) ?? '') : value] as const,
      );
      const answer = await exchange(join(serving.folder, `${socket}.sock`), method, path, sent);
      etags.push(...(/^ETag: (.+)$/m.exec(answer.replaceAll('\r', ''))?.slice(1) ?? []));
      const shown = Object.entries(headers).map(([name, value]) => ` ${name}=${value}`);
      parts.push(`> ${socket} ${method} ${path}${shown.join('')}\n${normalised(answer)}\n`);
    },
  };
  try {
    await nativeRequests(scene);
    await awsRequests(scene);
    await vaultRequests(scene);
    await otherRequests(scene);
    return parts.join('\n');
  } finally {
    await serving.close();
  }
}

function normalised(answer: string): string {
  return answer
    .replace(tags, '$1"TAG"')
    .replace(ids, '"request_id":"ID"')
    .replaceAll('\r\n', '\n')
    .replace(dates, 'Date: DATE');
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

function serveAll(clock: Clock): Promise<Serving> {
  const uid = process.getuid?.() ?? 0;
  const listener = (folder: string, name: Socket, serve: Parameters<typeof unixListener>[1]) =>
    unixListener(join(folder, `${name}.sock`), serve, { place: name });
  return startServing({
    clock,
    aliases: { other: 'stripe' },
    rules: {
      strict: false,
      rules: [
        {
          name: 'all',
          client: { uid },
          allow: ['*'],
          vault: [{ path: 'secret/*', methods: ['*'] }],
          admin: true,
        },
        { name: 'some', client: { uid: 4_000_000 }, allow: ['closed'], vault: [], admin: false },
      ],
    },
    listeners: (folder) => [
      listener(folder, 'api', ['secrets', 'vault', 'metrics', 'admin']),
      listener(folder, 'aws', ['aws']),
    ],
  });
}

function exchange(
  path: string,
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[],
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(path);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${lines.join('')}\r\n`, 'latin1');
  let bytes = Buffer.alloc(0);
  const done = (): void => {
    socket.destroy();
    resolve(bytes.toString('utf8'));
  };
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = bytes.toString('latin1', 0, end);
    const length = Number(/^Content-Length: (\d+)/m.exec(head)?.[1] ?? 0);
    const isBare = method === 'HEAD' || head.startsWith('HTTP/1.1 304');
    if (bytes.length >= end + 4 + (isBare ? 0 : length)) done();
  });
  socket.on('end', done);
  socket.on('error', reject);
  return promise;
}

async function nativeRequests({ put, open, store, ask, note, pass }: Scene): Promise<void> {
  note('native');
  const key = put('stripe', '{"key":"sk_1","amount":1.50,"note":"ä\\n"}', { versionId: '3' }, 'flat');
  open('late');
  pass(1500);
  for (const path of ['/secrets', '/secrets/', '/secrets/stripe', '/secrets/other', '/secrets/stripe/key'])
    for (const method of ['GET', 'HEAD']) await ask('api', method, path);
  await ask('api', 'GET', '/secrets/stripe/key', { 'If-None-Match': 'LAST' });
  await ask('api', 'GET', '/secrets/stripe');
  await ask('api', 'GET', '/secrets/stripe', { 'If-None-Match': 'LAST' });
  await ask('api', 'HEAD', '/secrets/stripe', { 'If-None-Match': '*' });
  await ask('api', 'GET', '/secrets/stripe', { 'If-None-Match': '"x"' });
  await ask('api', 'GET', '/secrets/stripe', { Connection: 'close' });
  for (const path of [
    ...['/secrets/stripe/amount', '/secrets/stripe/note', '/secrets/stripe/kex', '/secrets/none'],
    ...['/secrets/late', '/secrets/%73tripe', '/secrets/st%zz', '/secrets/stripe/key/more', '/secrets//key'],
    ...[
      '/secrets/stripe/',
      '/secrets/stripe?wait=0s',
      '/secrets/stripe?wait=x',
      '/secrets/../secrets/stripe',
    ],
  ])
    await ask('api', 'GET', path);
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) await ask('api', method, '/secrets/stripe');
  note('another second');
  pass(1000);
  await ask('api', 'GET', '/secrets/stripe');
  await ask('api', 'GET', '/secrets/stripe/key');
  note('stale');
  store.fail(key, new UpstreamError('upstream_unavailable', 'the vault is away'), 'stale');
  for (const path of ['/secrets', '/secrets/stripe', '/secrets/stripe/key']) await ask('api', 'GET', path);
  note('another version, with an end');
  store.publish(key, answerOf('{"key":"sk_2"}', { versionId: '4' }), start + 60_000);
  for (const path of ['/secrets', '/secrets/stripe', '/secrets/stripe/key', '/secrets/stripe/amount'])
    await ask('api', 'GET', path);
}

async function awsRequests({ put, store, ask, note, pass }: Scene): Promise<void> {
  note('aws');
  const key = put('db', '{"user":"app","password":"old","port":5432.0}', { versionId: '7' });
  const entry = store.find(key);
  const before = entry?.current;
  const id = entry && before ? versionIdOf(entry, before) : '';
  store.hold('file:/etc/app.conf', key, 1);
  store.publish(
    key,
    answerOf('{"user":"app","password":"new","port":5432.0}', { versionId: '8' }),
    undefined,
  );
  put('one', { value: 'just this' });
  put('bytes', { secret_binary: 'AAEC' });
  put('keys', { access_key: 'AKIA', secret_key: 'abc', security_token: 'tok' });
  for (let round = 0; round < 2; round += 1) {
    for (const path of [
      ...['/secretsmanager/get?secretId=db', '/v1/db', '/v1/one', '/v1/bytes', '/v1/none', '/v1/late'],
      ...['/v1/db?versionStage=AWSCURRENT', '/v1/db?versionStage=AWSPREVIOUS', '/v1/db?versionStage=X'],
      ...[`/v1/db?versionId=${id}`, `/v1/db?versionId=${id}&versionStage=AWSCURRENT`],
      ...['/v1/db?refreshNow=true', '/v1/db?refreshNow=maybe', '/v1/db?roleArn=x', '/v1/', '/v1/other'],
      ...['/systemsmanager/parameters/get?name=db', '/systemsmanager/parameters/get?name=%2Fdb%2Fpassword'],
      ...['/systemsmanager/parameters/get?name=/db/port&version=7', '/systemsmanager/parameters/get'],
      ...['/systemsmanager/parameters/get?name=/db/none', '/systemsmanager/parameters/get?name=none'],
      ...['/systemsmanager/parameters/get?name=db&label=AWSPREVIOUS', '/systemsmanager/other'],
      ...['/credentials/aws/keys', '/credentials/aws/db', '/credentials/aws/none', '/ping', '/stray'],
    ])
      await ask('aws', 'GET', path);
    note('seconds later');
    pass(2300);
  }
  for (const method of ['HEAD', 'POST']) await ask('aws', method, '/v1/db');
  await ask('aws', 'GET', '/v1/db', { 'X-Forwarded-For': '10.0.0.1' });
  await ask('aws', 'GET', '/v1/db', { Origin: 'http://localhost' });
}

async function vaultRequests({ store, ask, note, pass }: Scene): Promise<void> {
  note('vault: the own mount');
  for (const path of [
    ...['data/stripe', 'data/other', 'data/db', 'metadata/stripe', 'data/none', 'data/late', 'metadata/none'],
    ...['metadata?list=true', 'metadata/', 'config', 'data/', 'metadata/db'],
  ])
    await ask('api', 'GET', `/v1/latchkey/${path}`);
  await ask('api', 'GET', '/v1/latchkey/data/stripe');
  for (const method of ['PUT', 'HEAD']) await ask('api', method, '/v1/latchkey/data/stripe');
  await ask('api', 'GET', '/v1/sys/internal/ui/mounts/latchkey/stripe');
  note('vault: from the cache');
  const opened = (path: string) =>
    store.open(createReference({ upstream: 'vault', path }), defaultEntryPolicy).key;
  const metadata = '{"version":1,"created_time":"2026-01-01T00:00:00Z","deletion_time":"","destroyed":false}';
  const kv = opened('secret/data/kv');
  store.publish(
    kv,
    answerOf(`{"data":{"key":"v1"},"metadata":${metadata}}`, { versionId: '1' }, 'kv2'),
    undefined,
  );
  const lease = { id: 'secret/lease/1', durationSeconds: 60, isRenewable: true };
  const leased = opened('secret/lease');
  const now = start + 10_000;
  store.publish(leased, answerOf('{"user":"u"}', { kind: 'leased', lease }), now + 60_000);
  const ttl = '{"password":"p","ttl":30,"last_vault_rotation":"x"}';
  store.publish(opened('secret/role'), answerOf(ttl, { kind: 'rotating' }), now + 30_000);
  for (let round = 0; round < 3; round += 1) {
    for (const path of ['/v1/secret/data/kv', '/v1/secret/lease', '/v1/secret/role'])
      await ask('api', 'GET', path, { 'X-Vault-Request': 'true' });
    pass(1700);
  }
  note('vault: stale');
  store.fail(kv, new UpstreamError('upstream_unavailable', 'the vault is away'), 'stale');
  await ask('api', 'GET', '/v1/secret/data/kv');
  note('vault: what nothing answers');
  for (const path of ['/v1/secret/data/none', '/v1/denied/x', '/v1/sys/health', '/v1/', '/v1/secret/../x'])
    await ask('api', 'GET', path);
}

async function otherRequests({ put, access, ask, note }: Scene): Promise<void> {
  note('others');
  for (const path of ['/healthz', '/readyz', '/healthz/x', '/who-has/stripe@x'])
    for (const method of ['GET', 'HEAD', 'POST']) await ask('api', method, path);
  for (const path of ['/', '/nothing', '//', '/secrets%2fstripe', '/?x', '*']) await ask('api', 'GET', path);
  await ask('api', 'GET', '/secrets/stripe', { Host: 'evil.example' });
  await ask('api', 'GET', '/secrets/stripe', { Origin: 'http://evil.example' });
  note('denied');
  put('closed', { a: '1' });
  access.replace({
    strict: true,
    rules: [
      { name: 'one', client: { uid: process.getuid?.() ?? 0 }, allow: ['open'], vault: [], admin: false },
    ],
  });
  for (const path of [
    ...['/secrets', '/secrets/closed', '/secrets/closed/a', '/secrets/none', '/v1/latchkey/data/closed'],
    ...['/v1/secret/data/kv', '/status', '/healthz', '/stray'],
  ])
    await ask('api', 'GET', path);
  for (const path of [
    '/v1/closed',
    '/v1/none',
    '/credentials/aws/closed',
    '/systemsmanager/parameters/get?name=closed',
  ])
    await ask('aws', 'GET', path);
}
