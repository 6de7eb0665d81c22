// What a connection was when it began, or a request when it came, gives nothing once it is so no longer: its process has ended and
// somebody else holds it, or its listener is open no more, serves something else, or wants another token.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import type { ListenerConfig } from '../../src/config/resolved.ts';
import {
  ask,
  portOf,
  type Serving,
  type ServingOptions,
  startServing,
  tcpListener,
  unixListener,
} from '../support/serving.ts';
import { waitFor } from '../support/wait-for.ts';

async function withServing(t: Test, options: ServingOptions = {}): Promise<Serving> {
  const serving = await startServing(options);
  t.teardown(serving.close);
  serving.put('stripe', { key: 'first-value' });
  return serving;
}

const reload = async ({ server }: Serving, listeners: ListenerConfig[]): Promise<void> =>
  (await server.prepare(listeners)).commit();

/** One request, and what comes of it and after it. */
function open(to: { path: string } | { port: number; host: string }, ...lines: string[]) {
  const socket: Socket = connect(to);
  let text = '';
  let hasEnded = false;
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('close', () => {
    hasEnded = true;
  });
  const send = (...more: string[]) => socket.write(`${[...more, 'Host: localhost'].join('\r\n')}\r\n\r\n`);
  send(...lines);
  return { socket, send, text: () => text, hasEnded: () => hasEnded };
}

const has = (serving: Serving, line: string): boolean => serving.registry.render().includes(line);

/** Asks; at a word hands the connection to a child and ends. The child tells when it is alone, and what it gets. */
const heirScript = `
  import { spawn } from 'node:child_process';
  import { connect } from 'node:net';
  const [path, request] = process.argv.slice(1);
  const socket = connect(path, () => socket.write(request));
  const heir = \`
    const { Socket } = require('node:net');
    const timer = setInterval(() => {
      if (process.ppid === \${process.pid}) return;
      clearInterval(timer);
      console.log('alone');
      const socket = new Socket({ fd: 3 });
      socket.on('data', (bytes) => console.log(JSON.stringify(String(bytes))));
      socket.on('end', () => { console.log('end'); process.exit(); });
    }, 20);\`;
  process.stdin.once('data', () => {
    spawn(process.execPath, ['-e', heir], { stdio: ['ignore', 'inherit', 'inherit', socket._handle.fd], detached: true }).unref();
    process.exit();
  });
`;

/** What the heir of a connection prints, from when it is alone; \`until\`: the agent has its request. */
async function heirOf(serving: Serving, lines: readonly string[], until: string): Promise<string[]> {
  const request = `${[...lines, 'Host: localhost'].join('\r\n')}\r\n\r\n`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', heirScript, serving.socketPath, request],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const told: string[] = [];
  createInterface(child.stdout).on('line', (line) => told.push(line));
  await waitFor('the agent has its request', () => has(serving, until));
  child.stdin.write('go\n');
  await waitFor('the process that connected has ended', () => told.includes('alone'));
  return told;
}

const linuxOnly = { skip: process.platform !== 'linux' && 'needs Linux' };

t.test('a wait is nobody’s once its process has ended', linuxOnly, async (t) => {
  const serving = await withServing(t);
  const { etag = '' } = (await ask('/secrets/stripe/key', serving)).headers;
  const lines = ['GET /secrets/stripe/key?wait=60s HTTP/1.1', `If-None-Match: ${etag}`];
  const told = await heirOf(serving, lines, 'latchkey_open_waits 1');
  serving.put('stripe', { key: 'second-value' });
  await waitFor('the end of the connection', () => told.includes('end'));
  t.match(told.join('\n'), /HTTP\/1\.1 403/);
  t.notMatch(told.join('\n'), 'second-value');
});

for (const [name, path] of [
  ['of secrets', '/events'],
  ['of administrators', '/changes'],
] as const) {
  t.test(`an event stream ${name} is nobody’s once its process has ended`, linuxOnly, async (t) => {
    let change = (): void => undefined;
    const serving = await withServing(t, {
      listeners: (folder) => [unixListener(join(folder, 'api.sock'), ['secrets', 'admin'])],
      view: {
        onChange(listener) {
          change = listener;
          return () => undefined;
        },
      },
    });
    const told = await heirOf(serving, [`GET ${path} HTTP/1.1`], 'latchkey_open_event_streams 1');
    const later = open({ path: serving.socketPath }, `GET ${path} HTTP/1.1`);
    await waitFor('another stream', () => later.text().includes('retry'));
    serving.put('stripe', { key: 'second-value' });
    change();
    await waitFor('it is told', () => /event: (?:rotated|changed)/.test(later.text()));
    serving.access.replace({ rules: [], strict: true });
    await waitFor('the end of theirs', () => told.join('\n').includes('"0\\r\\n'));
    t.notMatch(told.join('\n'), 'event:', 'whose stream is older');
    later.socket.destroy();
  });
}

t.test('who came while a listener was open may nothing on the same connection once it is not', async (t) => {
  let path = '';
  const at = (more: object) => unixListener(path, ['vault', 'admin', 'secrets'], more);
  const serving = await withServing(t, {
    rules: { rules: [], strict: true },
    listeners(folder) {
      path = join(folder, 'api.sock');
      return [unixListener(path, ['vault', 'metrics'], { isOpen: true })];
    },
  });
  const kept = open({ path }, 'GET /metrics HTTP/1.1');
  await waitFor('metrics', () => kept.text().includes('latchkey_'));
  t.match(kept.text(), /^HTTP\/1\.1 200/);
  await reload(serving, [at({})]);
  for (const asked of ['GET /status', 'GET /v1/secret/data/app', 'POST /reload']) {
    const other = open({ path }, `${asked} HTTP/1.1`);
    await waitFor('its answer', other.hasEnded);
    t.match(other.text(), /^HTTP\/1\.1 403/, `${asked} of who comes now`);
  }
  kept.send('GET /status HTTP/1.1');
  await waitFor('its answer', kept.hasEnded);
  t.match(kept.text(), /HTTP\/1\.1 403 .*not allowed/s);
  t.notMatch(kept.text(), 'api_version');
});

t.test('waits and streams end where their listener serves their dialect no more', async (t) => {
  let path = '';
  const serving = await withServing(t, {
    listeners(folder) {
      path = join(folder, 'api.sock');
      return [unixListener(path, ['secrets', 'metrics'])];
    },
  });
  const { etag = '' } = (await ask('/secrets/stripe/key', serving)).headers;
  const stream = open({ path }, 'GET /events HTTP/1.1');
  const wait = open({ path }, 'GET /secrets/stripe/key?wait=60s HTTP/1.1', `If-None-Match: ${etag}`);
  await waitFor('both', () => has(serving, 'latchkey_open_waits 1') && stream.text().includes('retry'));
  await reload(serving, [unixListener(path, ['metrics'])]);
  serving.put('stripe', { key: 'second-value' });
  await waitFor('the end of the stream', () => stream.text().endsWith('0\r\n\r\n'));
  t.notMatch(stream.text(), 'event: rotated');
  await waitFor('the end of the wait', () => wait.text() !== '');
  t.notMatch(wait.text(), 'second-value');
  for (const { socket } of [stream, wait]) socket.destroy();
});

t.test(
  'waits and streams that an old token began give nothing once the listener wants another',
  async (t) => {
    let tokenFile = '';
    const first = 'A'.repeat(43);
    const at = (more: object = {}) =>
      tcpListener(tokenFile, ['secrets'], { tokenVariables: undefined, ...more });
    const serving = await withServing(t, {
      listeners(folder) {
        tokenFile = join(folder, 'token');
        writeFileSync(tokenFile, first, { mode: 0o600 });
        return [at()];
      },
    });
    const port = portOf(serving.server, 'listeners[1]');
    const to = { port, host: '127.0.0.1' };
    const proof = `Authorization: Bearer ${first}`;
    const { etag = '' } = (
      await ask('/secrets/stripe/key', { port, headers: { authorization: `Bearer ${first}` } })
    ).headers;
    const stream = open(to, 'GET /events HTTP/1.1', proof);
    const wait = open(to, 'GET /secrets/stripe/key?wait=60s HTTP/1.1', `If-None-Match: ${etag}`, proof);
    await waitFor('both', () => has(serving, 'latchkey_open_waits 1') && stream.text().includes('retry'));
    writeFileSync(tokenFile, 'B'.repeat(43));
    await reload(serving, [at({ port: 0 })]);
    serving.put('stripe', { key: 'second-value' });
    await waitFor('the end of the wait', wait.hasEnded);
    t.match(wait.text(), /^HTTP\/1\.1 403/);
    t.notMatch(stream.text(), 'event: rotated');
    stream.socket.destroy();
  },
);
