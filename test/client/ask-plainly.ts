// One GET that waits in the kernel: the same answers as by Node's client, and nothing where the answer is not plain.
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { askSocket } from '../../src/base/system/ask-socket.ts';
import { askPlainly } from '../../src/client/ask-plainly.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

/** Another thread, as the one that asks does nothing meanwhile. `/N` is answered with the pieces of the Nth answer. */
const serverScript = `
  const { createServer } = require('node:net');
  const { parentPort, workerData } = require('node:worker_threads');
  createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', async (request) => {
      for (const piece of workerData.answers[Number(/^GET [/](\\d+) /.exec(request)[1])]) {
        connection.write(Buffer.from(piece, 'latin1'));
        await new Promise(setImmediate);
      }
      connection.end();
    });
  }).listen(workerData.path, () => parentPort.postMessage('listening'));
`;

async function serve(t: Test, path: string, answers: readonly (readonly string[])[]): Promise<void> {
  const worker = new Worker(serverScript, { eval: true, workerData: { path, answers } });
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
}

const long = '\u00ff\u0000é\n'.repeat(60_000);
const plain: readonly (readonly string[])[] = [
  ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nv1'],
  ['HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n'],
  ['HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'],
  ['HTTP/1.1 503 \r\nContent-Length: 4\r\n\r\n\r\n\r\n'],
  ['HTT', 'P/1.1 200 OK\r\nContent-Len', 'gth: 3\r\n\r', '\n', 'a', 'b', 'c'],
  [`HTTP/1.1 200 OK\r\nContent-Length: ${long.length}\r\n\r\n`, long],
];
/** What is wrong with each, and its pieces. */
const odd: readonly (readonly [string, ...string[]])[] = [
  ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nv1\r\n0\r\n\r\n'],
  ['both', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['no length', 'HTTP/1.1 200 OK\r\n\r\nv1'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nv1'],
  ['a length of another kind', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nv1'],
  ['a length that is huge', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nv1'],
  ['packed', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nv1'],
  [
    'a word before the answer',
    'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na',
  ],
  ['torn in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nv1'],
  ['torn in the head', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ['more than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab'],
  ['nothing'],
  ['no HTTP', 'hello\r\nContent-Length: 1\r\n\r\na'],
  ['another version of HTTP', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na'],
  ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
];

t.test('gives what Node gives, to the byte', async (t) => {
  for (const socketPath of [join(testFolder(t), 'plain.sock'), `@latchkey-plain-${process.pid}`]) {
    await serve(t, socketPath.replace('@', '\0'), plain);
    for (const index of plain.keys()) {
      const request = { socketPath, path: `/${index}` };
      const answer = askPlainly(request);
      t.ok(answer, `answer ${index} is plain`);
      const { status, body } = await askSocket(request);
      t.equal(answer?.status, status);
      t.ok(answer?.body.equals(body), `body ${index}`);
    }
  }
});

t.test('has no answer where it is not plain', async (t) => {
  const socketPath = join(testFolder(t), 'odd.sock');
  await serve(
    t,
    socketPath,
    odd.map(([, ...pieces]) => pieces),
  );
  for (const [index, [what]] of odd.entries())
    t.equal(askPlainly({ socketPath, path: `/${index}` }), undefined, what);
});

t.test('has no answer where nobody can be asked', async (t) => {
  const folder = testFolder(t);
  const none = join(folder, 'none.sock');
  for (const socketPath of [
    none,
    folder,
    import.meta.filename,
    '',
    '@',
    'a\0b',
    join(folder, 'x'.repeat(200)),
  ])
    t.equal(askPlainly({ socketPath, path: '/0' }), undefined, JSON.stringify(socketPath));
  t.notOk(existsSync(none), 'it makes nothing');
});

t.test('never writes a path that could end its line', async (t) => {
  const socketPath = join(testFolder(t), 'lines.sock');
  await serve(t, socketPath, plain);
  for (const path of ['/0 HTTP/1.1\r\nx: y', '/0\n', '/0 ', '/\u00e9', ''])
    t.equal(askPlainly({ socketPath, path }), undefined, JSON.stringify(path));
  t.match(askPlainly({ socketPath, path: '/0' }), { status: 200 });
});

t.test('leaves no descriptor open', async (t) => {
  const socketPath = join(testFolder(t), 'fd.sock');
  await serve(t, socketPath, [...plain, ...odd.map(([, ...pieces]) => pieces)]);
  const openFiles = (): number => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  for (let index = 0; index < plain.length + odd.length; index += 1)
    askPlainly({ socketPath, path: `/${index}` });
  askPlainly({ socketPath: '/nowhere', path: '/' });
  // The other end is in this process too, and closes when it has seen ours close.
  await waitFor('every one to be closed', () => openFiles() <= before);
});
