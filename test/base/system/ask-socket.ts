// Requests over a unix socket whose queue others keep full.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { askSocket } from '../../../src/base/system/ask-socket.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

/** Answers nobody until a byte comes on its standard input. */
const serverScript = `
  const { createServer } = require('node:http');
  const { readSync } = require('node:fs');
  createServer((request, answer) => answer.end('late')).listen({ path: process.argv[1], backlog: 2 }, () => {
    require('node:fs').writeSync(1, 'listening');
    readSync(0, Buffer.alloc(1));
  });
`;

t.test('waits for room in the queue of the socket', async (t) => {
  const socketPath = join(testFolder(t), 'full.sock');
  const child = spawn(process.execPath, ['-e', serverScript, socketPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const codes: unknown[] = [];
  await waitFor('the queue is full', () => {
    connect(socketPath)
      .on('error', ({ code }: NodeJS.ErrnoException) => codes.push(code))
      .unref();
    return codes.length > 0;
  });
  t.equal(codes[0], 'EAGAIN');
  const asked = askSocket({ socketPath, path: '/' });
  // One try at least has failed by the time that another one does.
  const before = codes.length;
  connect(socketPath).on('error', () => codes.push('again'));
  await waitFor('it is still full', () => codes.length > before);
  child.stdin.write('x');
  t.match(await asked, { status: 200, body: Buffer.from('late') });
});

t.test('where nobody listens it says so at once', async (t) => {
  await t.rejects(askSocket({ socketPath: join(testFolder(t), 'none.sock'), path: '/' }), { code: 'ENOENT' });
});
