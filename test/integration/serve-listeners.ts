import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import type { ListenerConfig } from '../../src/config/resolved.ts';
import { apply } from '../support/apply.ts';
import { isRoot, needsRoot } from '../support/needs-root.ts';
import { nobody } from '../support/other-user.ts';
import { ask, portOf, type Serving, startServing, tcpListener, unixListener } from '../support/serving.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

async function withServing(
  t: { teardown(callback: () => unknown): void },
  listeners: (folder: string) => ListenerConfig[],
): Promise<Serving> {
  const serving = await startServing({ listeners });
  t.teardown(() => serving.close());
  serving.put('stripe', { key: 'sk_1' });
  return serving;
}

t.test('a unix socket has the mode and group it was given, and is gone after the stop', async (t) => {
  const serving = await withServing(t, (folder) => [
    unixListener(join(folder, 'deep/er/api.sock'), ['secrets'], {
      mode: 0o660,
      ...(isRoot ? { user: 'nobody', group: '7' } : {}),
    }),
  ]);
  const path = join(serving.folder, 'deep/er/api.sock');
  t.strictSame(serving.problems, []);
  t.equal(mode(path), '660');
  t.match(statSync(path), { uid: 65_534, gid: 7 }, 'its owner and group', { skip: needsRoot });
  t.match(await ask('/secrets/stripe/key', { socketPath: path }), { text: 'sk_1' });
  await serving.server.close({ drainMs: 100 });
  t.notOk(existsSync(path));
});

t.test('a stale socket is replaced, a live one is not, nor any other file', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'file'), 'precious');
  const stale = join(folder, 'stale.sock');
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  const child = spawn(process.execPath, ['-e', script, stale], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('close', resolve));
  t.ok(existsSync(stale), 'left behind by a process that was killed');
  const live = join(folder, 'live.sock');
  const other = createServer((socket) => socket.end()).listen(live);
  t.teardown(() => other.close());
  symlinkSync('file', join(folder, 'link'));
  const serving = await withServing(t, () =>
    [stale, live, join(folder, 'file'), join(folder, 'link'), join(folder, 'x'.repeat(120))].map(
      (path, index) => unixListener(path, ['secrets'], { place: `listeners[${index}]` }),
    ),
  );
  t.equal((await ask('/secrets/stripe', { socketPath: stale })).status, 200);
  t.match(
    serving.problems.map(({ message, remedy }) => `${message}; ${remedy}`),
    [
      /^listeners\[1\]\.unix: .*live\.sock is in use by another process; stop it or choose another path/,
      /^listeners\[2\]\.unix: .*file exists and is no socket; remove it/,
      /^listeners\[3\]\.unix: .*link exists and is no socket/,
      /^listeners\[4\]\.unix: .* is longer than 107 bytes/,
    ],
  );
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'precious');
  t.match(serving.server.status(), [{ state: 'listening' }, { state: 'failed', error: /in use/ }]);
});

t.test('an unknown user or group is told and leaves no socket', async (t) => {
  const serving = await withServing(t, (folder) => [
    unixListener(join(folder, 'a.sock'), ['secrets'], { user: 'no-such-user' }),
    unixListener(join(folder, 'b.sock'), ['secrets'], { group: 'no-such-group' }),
  ]);
  t.match(serving.problems, [
    { message: /user: there is no user "no-such-user"/ },
    { message: /there is no group/ },
  ]);
  t.notOk(existsSync(join(serving.folder, 'a.sock')));
});

t.test('an abstract name is served to whom the rules allow', async (t) => {
  const name = `@latchkey-test-${process.pid}`;
  const serving = await withServing(t, () => [unixListener(name)]);
  t.strictSame(serving.problems, []);
  t.equal((await ask('/secrets/stripe/key', { socketPath: `\0${name.slice(1)}` })).text, 'sk_1');
});

t.test('TCP wants the token on every request, in any of its headers', async (t) => {
  const serving = await withServing(t, (folder) => [
    tcpListener(join(folder, 'run/token'), ['secrets', 'admin']),
  ]);
  const port = portOf(serving.server, 'listeners[1]');
  const tokenFile = join(serving.folder, 'run/token');
  t.equal(mode(tokenFile), '600');
  const token = readFileSync(tokenFile, 'utf8');
  t.match(token, /^[\w-]{43}$/);
  const get = (headers: Record<string, string>, path = '/secrets/stripe/key') => ask(path, { port, headers });
  for (const headers of [
    { authorization: `Bearer ${token}` },
    { authorization: `bearer  ${token}` },
    { authorization: token },
    { 'x-vault-token': token },
    { 'x-aws-parameters-secrets-token': token },
  ] as unknown as Record<string, string>[]) {
    t.match(await get(headers), { status: 200, text: 'sk_1' }, Object.keys(headers).join());
  }
  for (const wrong of ['', 'x', token.slice(1), `${token}x`, token.toUpperCase()]) {
    t.equal((await get({ authorization: `Bearer ${wrong}` })).status, 403, JSON.stringify(wrong));
  }
  for (const path of ['/secrets', '/secrets/stripe', '/events', '/status', '/nowhere']) {
    t.match(await get({}, path), { status: 403, text: /"code":"denied"/ }, path);
  }
  t.equal((await get({}, '/healthz')).status, 200);
  t.equal((await get({ authorization: token }, '/status')).status, 200);
});

t.test('a token that was right once is wanted again on the same connection', async (t) => {
  const serving = await withServing(t, (folder) => [tcpListener(join(folder, 'token'))]);
  const token = readFileSync(join(serving.folder, 'token'), 'utf8');
  const socket = connect({ port: portOf(serving.server, 'listeners[1]'), host: '127.0.0.1' });
  const one = (header: string): string =>
    `GET /secrets/stripe/key HTTP/1.1\r\nHost: localhost\r\n${header}\r\n`;
  socket.write(
    one(`X-Vault-Token: ${token}\r\n`) +
      one(`Authorization: ${token}\r\n`) +
      one('') +
      one(`Authorization: ${token}\r\n`),
  );
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  t.strictSame(
    text.match(/HTTP\/1\.1 \d+/g),
    ['200', '200', '403'].map((status) => `HTTP/1.1 ${status}`),
    'and whoever does not show it keeps no connection',
  );
});

t.test('the token outlives a restart unless others could have read it', async (t) => {
  const folder = t.testdir();
  const tokenFile = join(folder, 'token');
  const tokenOf = async (): Promise<string> => {
    const serving = await startServing({ listeners: () => [tcpListener(tokenFile)] });
    await serving.close();
    return readFileSync(tokenFile, 'utf8');
  };
  const first = await tokenOf();
  t.equal(await tokenOf(), first);
  chmodSync(tokenFile, 0o644);
  const second = await tokenOf();
  t.not(second, first);
  t.equal(mode(tokenFile), '600');
  writeFileSync(tokenFile, 'chosen-by-hand');
  t.not(await tokenOf(), 'chosen-by-hand');
});

t.test(
  'the token file is for whom the config says, and so over a restart',
  { skip: needsRoot },
  async (t) => {
    const folder = t.testdir();
    const file = join(folder, 'token');
    const tokenFileRights = { owner: 'nobody', group: undefined, mode: 0o600 };
    const serve = async (more: object) => {
      const serving = await startServing({ listeners: () => [tcpListener(file, ['secrets'], more)] });
      await serving.close();
      t.strictSame(serving.problems, []);
      return { token: readFileSync(file, 'utf8'), stats: statSync(file) };
    };
    const own = await serve({});
    t.match(own.stats, { uid: 0, mode: 0o100600 });
    const given = await serve({ tokenFileRights });
    t.match(given.stats, { uid: nobody, mode: 0o100600 });
    t.equal(given.token, own.token, 'the same token, with other rights');
    const open = await startServing({
      listeners: () => [tcpListener(file, ['secrets'], { tokenFileRights })],
    });
    open.put('stripe', { key: 'k' });
    const headers = { authorization: `Bearer ${given.token}` };
    const port = portOf(open.server, 'listeners[1]');
    t.equal((await ask('/secrets/stripe', { port, headers })).status, 403, 'its holder needs a rule');
    await open.close();
    const again = await serve({ tokenFileRights });
    t.equal(again.token, own.token, 'kept while nobody else could have read it');
    t.equal(again.stats.ino, given.stats.ino, 'and not written again');
    chmodSync(file, 0o644);
    t.not((await serve({ tokenFileRights })).token, own.token, 'all could have read it');
    const missing = await startServing({
      listeners: () => [
        tcpListener(file, ['secrets'], { tokenFileRights: { ...tokenFileRights, owner: 'nobody-at-all' } }),
      ],
    });
    t.match(missing.problems, [{ message: /token_file.owner: there is no user "nobody-at-all"/ }]);
    await missing.close();
  },
);

t.test('a port in use, or one that is not loopback, is told with the remedy', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const serving = await withServing(t, (folder) => [
    tcpListener(join(folder, 'a'), ['secrets'], { port }),
    tcpListener(join(folder, 'b'), ['secrets'], { host: '0.0.0.0' }),
    tcpListener(join(folder, 'c'), ['systemd']),
  ]);
  t.match(
    serving.problems.map(({ message, remedy }) => `${message}; ${remedy}`),
    [
      `listeners[1].tcp: 127.0.0.1:${port} is in use by another process; stop it or choose another port`,
      /expected a loopback address such as 127\.0\.0\.1, got 0\.0\.0\.0; set allow_remote and tls/,
      /systemd speaks no HTTP/,
    ],
  );
});

t.test('browsers, proxies and foreign names are refused before anything else', async (t) => {
  const serving = await withServing(t, (folder) => [
    unixListener(join(folder, 'api.sock')),
    tcpListener(join(folder, 'token')),
  ]);
  const token = readFileSync(join(serving.folder, 'token'), 'utf8');
  const transports = [{ socketPath: serving.socketPath }, { port: portOf(serving.server, 'listeners[1]') }];
  const refused: Record<string, string>[] = [
    { origin: 'http://localhost' },
    { origin: 'null' },
    { referer: 'http://localhost/' },
    { 'x-forwarded-for': '127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { host: 'evil.example' },
    { host: 'localhost.evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: 'localhost:80@evil.example' },
    { host: '10.0.0.1:8100' },
  ];
  for (const transport of transports) {
    for (const headers of refused) {
      for (const path of ['/secrets/stripe/key', '/healthz', '/nowhere']) {
        const answer = await ask(path, { ...transport, headers: { authorization: token, ...headers } });
        t.match(answer, { status: 403, text: /"code":"denied"/ }, `${JSON.stringify(headers)} ${path}`);
      }
    }
    for (const host of ['localhost', 'LOCALHOST:8100', '127.0.0.1', '127.0.0.1:1', '[::1]:1', '127.1.2.3']) {
      const answer = await ask('/secrets/stripe/key', {
        ...transport,
        headers: { authorization: token, host },
      });
      t.equal(answer.text, 'sk_1', host);
    }
  }
  t.equal(
    (await ask('/healthz', { socketPath: serving.socketPath, headers: { host: 'agent' } })).status,
    200,
  );
});

t.test('a request with several Host headers is refused, whichever comes first', async (t) => {
  const serving = await withServing(t, (folder) => [unixListener(join(folder, 'api.sock'))]);
  for (const second of ['localhost', 'evil.example']) {
    for (const path of ['/secrets/stripe/key', '/healthz', '/nowhere']) {
      const socket = connect(serving.socketPath);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nhOST: ${second}\r\nConnection: close\r\n\r\n`);
      t.match(await text(socket), /^HTTP\/1\.1 400 [\s\S]*"code":"request_invalid"/, `${second} ${path}`);
    }
  }
});

t.test(
  'connections beyond the cap are told so and closed, and served again when there is room',
  async (t) => {
    const serving = await withServing(t, (folder) => [
      unixListener(join(folder, 'api.sock'), ['secrets'], { maxConnections: 2 }),
    ]);
    const first = connect(serving.socketPath);
    const second = connect(serving.socketPath);
    await waitFor('two connections', () => serving.server.status()[0]?.connections === 2);
    const refused = await ask('/secrets/stripe', { socketPath: serving.socketPath });
    t.match(refused, { status: 503, headers: { connection: 'close' } });
    t.match(refused.json(), { error: { code: 'too_many_connections', message: /at most 2 connections/ } });
    first.destroy();
    await waitFor('room', () => serving.server.status()[0]?.connections === 1);
    t.equal((await ask('/secrets/stripe', { socketPath: serving.socketPath })).status, 200);
    second.destroy();
  },
);

t.test('a listener for AWS alone says it as their agent does', async (t) => {
  const serving = await withServing(t, (folder) => [
    unixListener(join(folder, 'api.sock'), ['aws'], { maxConnections: 1 }),
  ]);
  const first = connect(serving.socketPath);
  await waitFor('one connection', () => serving.server.status()[0]?.connections === 1);
  const refused = await ask('/secretsmanager/get?secretId=a', { socketPath: serving.socketPath });
  t.match(refused, { status: 429, headers: { connection: 'close' } });
  first.destroy();
});

t.test('a reload keeps connections of what stays, starts what is new, drains what goes', async (t) => {
  const serving = await withServing(t, (folder) => [
    unixListener(join(folder, 'api.sock')),
    unixListener(join(folder, 'old.sock'), ['secrets'], { place: 'listeners[1]' }),
  ]);
  const path = (name: string): string => join(serving.folder, name);
  const kept = await keptAlive(serving.socketPath);
  await apply(
    serving.server.prepare([
      unixListener(path('api.sock'), ['metrics'], { mode: 0o666 }),
      unixListener(path('new.sock'), ['secrets'], { place: 'listeners[1]' }),
    ]),
  );
  t.equal(mode(path('api.sock')), '666');
  t.match(await kept.get('/secrets/stripe'), /^HTTP\/1\.1 404/, 'the dialect is not served any more');
  t.match(await kept.get('/metrics'), /^HTTP\/1\.1 200/);
  t.equal((await ask('/secrets/stripe', { socketPath: path('new.sock') })).status, 200);
  t.notOk(existsSync(path('old.sock')));
  kept.socket.destroy();
});

t.test('a reload that fails keeps everything as it was', async (t) => {
  const serving = await withServing(t, (folder) => [unixListener(join(folder, 'api.sock'))]);
  const api = serving.socketPath;
  await t.rejects(
    apply(
      serving.server.prepare([
        unixListener(api, ['metrics']),
        unixListener(join(serving.folder, 'new.sock'), ['secrets'], { place: 'listeners[1]' }),
        unixListener(join(serving.folder, 'bad.sock'), ['secrets'], {
          place: 'listeners[2]',
          user: 'no-such-user',
        }),
      ]),
    ),
    { code: 'listener_failed', message: /^listeners\[2\]/ },
  );
  t.equal((await ask('/secrets/stripe/key', { socketPath: api })).text, 'sk_1');
  t.notOk(existsSync(join(serving.folder, 'new.sock')));
  t.notOk(existsSync(join(serving.folder, 'bad.sock')));
});

t.test('a reload sets the rights of the socket and of nothing that was put in its place', async (t) => {
  const serving = await withServing(t, (folder) => [unixListener(join(folder, 'api.sock'))]);
  const other = join(serving.folder, 'other');
  writeFileSync(other, '', { mode: 0o600 });
  const reload = () =>
    apply(serving.server.prepare([unixListener(serving.socketPath, ['metrics'], { mode: 0o666 })]));
  renameSync(serving.socketPath, `${serving.socketPath}.away`);
  symlinkSync(other, serving.socketPath);
  await t.rejects(reload(), { code: 'listener_failed', message: /api\.sock is not the socket any more/ });
  t.equal(mode(other), '600');
  renameSync(`${serving.socketPath}.away`, serving.socketPath);
  await reload();
  t.equal(mode(serving.socketPath), '666');
});

t.test('a stop answers what waits, ends streams, and closes idle connections', async (t) => {
  const serving = await withServing(t, (folder) => [unixListener(join(folder, 'api.sock'))]);
  const idle = await keptAlive(serving.socketPath);
  const { etag = '' } = (await ask('/secrets/stripe', { socketPath: serving.socketPath })).headers;
  const waiting = ask('/secrets/stripe?wait=60s', {
    socketPath: serving.socketPath,
    headers: { 'if-none-match': etag },
  });
  const streaming = ask('/events', { socketPath: serving.socketPath });
  await waitFor('wait and stream', () =>
    /latchkey_open_waits 1[\s\S]*latchkey_open_event_streams 1/.test(serving.registry.render()),
  );
  const closed = serving.server.close({ drainMs: 10_000 });
  t.match(await waiting, { status: 304, headers: { connection: 'close' } });
  t.equal((await streaming).status, 200);
  await closed;
  await waitFor('the idle connection to end', () => idle.socket.closed);
  t.notOk(existsSync(serving.socketPath));
});

async function madeCertificate(t: Pick<Test, 'testdir'>) {
  const folder = t.testdir();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await run('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=agent.test'.split(
      ' ',
    ),
    ...['-addext', 'subjectAltName=DNS:agent.test,IP:127.0.0.1', '-keyout', keyFile, '-out', certFile],
  ]);
  return { certFile, keyFile, folder };
}

t.test('serves over TLS under the names of its certificate', { skip: needsOpenssl() }, async (t) => {
  const { certFile, keyFile, folder } = await madeCertificate(t);
  const serving = await withServing(t, () => [
    tcpListener(join(folder, 'token'), ['secrets'], { tls: { certFile, keyFile }, maxConnections: 64 }),
  ]);
  const token = readFileSync(join(folder, 'token'), 'utf8');
  const get = (host: string): Promise<number> => secureStatus(serving, readFileSync(certFile), host, token);
  t.equal(await get('agent.test'), 200);
  t.equal(await get('127.0.0.1'), 200);
  t.equal(await get('other.test'), 403);
  const port = portOf(serving.server, 'listeners[1]');
  const silent = Array.from({ length: 300 }, () =>
    connect({ port, host: '127.0.0.1' }).on('error', () => {}),
  );
  await waitFor(
    'those without a handshake to give way',
    () => silent.filter(({ closed }) => closed).length > 200,
  );
  t.equal(await get('agent.test'), 200);
  for (const socket of silent) socket.destroy();
});

t.test('an open listener with TLS waits for no token', { skip: needsOpenssl() }, async (t) => {
  const { certFile, keyFile, folder } = await madeCertificate(t);
  const tls = { certFile, keyFile };
  const serving = await withServing(t, () => [
    tcpListener(join(folder, 'token'), ['metrics'], { tls, isOpen: true, maxConnections: 64 }),
  ]);
  const port = portOf(serving.server, 'listeners[1]');
  const ca = readFileSync(certFile);
  const idle = [];
  for (let count = 0; count < 40; count++) {
    const socket = connectTls({ port, host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');
    idle.push(socket.on('error', () => undefined));
  }
  await secureStatus(serving, ca, 'agent.test', '');
  t.equal(idle.filter(({ closed }) => closed).length, 0);
  for (const socket of idle) socket.destroy();
});

t.test('takes over a socket that systemd hands over, by its name', async (t) => {
  // Abstract, so that closing it here does not take the name away from the process that it was handed to.
  const name = `latchkey-activation-${process.pid}`;
  const script = `
    import net from 'node:net'; import { spawn } from 'node:child_process';
    const [inner, name] = process.argv.slice(1);
    const server = net.createServer().listen('\\0' + name, () => {
      const command = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=api exec "$0" "$@"';
      const stdio = ['ignore', 'inherit', 'inherit', server._handle];
      const child = spawn('/bin/sh', ['-c', command, process.execPath, inner, name], { stdio });
      child.on('exit', (code) => process.exit(code));
      server.close();
    });`;
  const inner = `${import.meta.dirname}/../support/activated-server.ts`;
  const output = await run(process.execPath, ['--input-type=module', '-e', script, inner, name]);
  t.equal(output.trim(), '200 200 listening; no socket named other; environment clean; closed on exec');
});

function needsOpenssl(): string | false {
  return existsSync('/usr/bin/openssl') ? false : 'needs openssl, to make a certificate';
}

async function keptAlive(path: string): Promise<{ socket: Socket; get(path: string): Promise<string> }> {
  const socket = connect(path);
  socket.on('error', () => {});
  const get = (target: string): Promise<string> => {
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return new Promise((resolve) => socket.once('data', (bytes) => resolve(String(bytes))));
  };
  await get('/healthz');
  return { socket, get };
}

async function secureStatus(serving: Serving, ca: Buffer, host: string, token: string): Promise<number> {
  const { request } = await import('node:https');
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const port = portOf(serving.server, 'listeners[1]');
  const headers = { host, authorization: `Bearer ${token}` };
  const options = {
    port,
    host: '127.0.0.1',
    path: '/secrets/stripe',
    headers,
    ca,
    servername: 'agent.test',
    agent: false,
  };
  request(options, (answer) => {
    answer.resume();
    resolve(answer.statusCode ?? 0);
  })
    .on('error', reject)
    .end();
  return promise;
}

function run(command: string, args: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  child.on('error', reject);
  child.on('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`exit ${code}: ${errors}`))));
  return promise;
}
