import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { cutUnlessTaken } from '../../../src/server/listen/http-limits.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

const muchBytes = 4 * 1024 * 1024;
const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

t.test('cuts whoever takes nothing of an answer, and nobody who has taken it', async (t) => {
  const path = join(testFolder(t), 's');
  const server = createServer((_request, response) => {
    response.end(Buffer.alloc(muchBytes));
    t.ok(response.writableLength > 0, 'bytes wait');
    cutUnlessTaken(response, 500);
  }).listen(path);
  t.teardown(() => server.close());
  await once(server, 'listening');

  const idle = connect(path, () => idle.write(request));
  idle.on('error', () => undefined).pause();
  let taken = 0;
  const taker = connect(path, () => taker.write(request));
  taker.on('data', (bytes) => {
    taken += bytes.length;
  });
  await waitFor('the answer', () => taken > muchBytes);
  const open = (): Promise<number> =>
    new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  await waitFor('the idle one to be cut', async () => (await open()) === 1);
  taken = 0;
  taker.write(request);
  await waitFor('another answer on the same connection', () => taken > muchBytes);
  idle.destroy();
  taker.destroy();
});
