// `latchkey get` where it is not alone: an agent that is silent or of another kind, a reader that is slow.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, constants, createReadStream, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { mkfifo } from '../../src/base/system/libc.ts';
import { program } from '../support/cli.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

async function listen(t: Test, server: Server): Promise<string> {
  const socket = join(testFolder(t), 'agent.sock');
  await new Promise<void>((done) => server.listen(socket, done));
  t.teardown(() => server.close());
  return socket;
}

/** By its first line, which takes what a test runner loads into every Node out of the environment. */
function start(socket: string, name: string, stdio: StdioOptions = ['ignore', 'pipe', 'pipe']): ChildProcess {
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  return spawn(program, ['get', name, 'word', '--socket', socket], { env, stdio });
}

async function ended(child: ChildProcess): Promise<Record<'code' | 'signal' | 'stdout' | 'stderr', unknown>> {
  const closed = new Promise<object>((done) => child.once('close', (code, signal) => done({ code, signal })));
  const [stdout, stderr] = await Promise.all([child.stdout, child.stderr].map((out) => out && text(out)));
  return { code: null, signal: null, ...(await closed), stdout, stderr };
}

t.test('ends at once by a signal while it waits for an answer', async (t) => {
  const asked: string[] = [];
  const server = createServer((connection) => connection.on('data', (data) => asked.push(data.toString())));
  const socket = await listen(t, server);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const get = start(socket, 'app');
    await waitFor('the request', () => asked.length > 0);
    get.kill(signal);
    t.match(await ended(get), { signal, stdout: '', stderr: '' });
    t.strictSame(asked.splice(0), [
      'GET /secrets/app/word HTTP/1.1\r\nhost: localhost\r\nConnection: close\r\n\r\n',
    ]);
  }
});

t.test('a message for handlers of ours does not cut the wait', async (t) => {
  const { promise: asked, resolve } = Promise.withResolvers<() => void>();
  const server = createHttpServer((_, answer) =>
    resolve(() => answer.setHeader('Content-Length', 4).end('late')),
  );
  const get = start(await listen(t, server), 'app');
  const answer = await asked;
  get.kill('SIGUSR1');
  get.kill('SIGCONT');
  answer();
  t.match(await ended(get), { code: 0, stdout: 'late', stderr: '' });
});

t.test('finds an answer that comes in chunks, and says what is wrong with one that is torn', async (t) => {
  let count = 0;
  const server = createHttpServer((request, answer) => {
    count += 1;
    answer.write('in ');
    if (request.url === '/secrets/torn/word') answer.destroy();
    else answer.end('pieces');
  });
  const socket = await listen(t, server);
  t.match(await ended(start(socket, 'app')), { code: 0, stdout: 'in pieces' });
  t.equal(count, 2);
  const torn = await ended(start(socket, 'torn'));
  t.match(torn, { code: 5, stdout: '', stderr: /cannot reach the agent at .*: ECONNRESET/ });
});

t.test('waits for a slow reader of a pipe that does not', async (t) => {
  const value = 'x\u00e9\n'.repeat(500_000);
  const server = createHttpServer((_, answer) => answer.end(value));
  const socket = await listen(t, server);
  const pipe = join(testFolder(t), 'pipe');
  mkfifo(pipe, 0o600);
  const output = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const child = start(socket, 'app', ['ignore', output, 'inherit']);
  const code = new Promise((done) => child.once('exit', done));
  const read = buffer(createReadStream(pipe));
  closeSync(output);
  t.equal((await read).toString(), value);
  t.equal(await code, 0);
});

t.test('one piece of code is all that it loads, and no HTTP client with it', (t) => {
  const built = dirname(program);
  const pieces = readdirSync(built).filter((name) => /^get-[^/]*\.js$/.test(name));
  t.ok(pieces.length > 0);
  for (const piece of pieces) {
    const text = readFileSync(join(built, piece), 'utf8');
    t.notMatch(text, /getBuiltinModule\(.node:(?:http|https|net|tls|stream)/, piece);
    const others = [...text.matchAll(/\bfrom ?"\.\/(?<name>[^"]+)"/g)].map((match) => match.groups?.['name']);
    t.strictSame(
      others.filter((name) => name?.startsWith('get-') !== true),
      [],
      piece,
    );
  }
  t.end();
});
