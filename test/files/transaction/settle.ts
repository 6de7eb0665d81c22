import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { SettleConfig } from '../../../src/config/resolved.ts';
import { settle } from '../../../src/files/transaction/settle.ts';
import { runCommand } from '../../support/command-runner.ts';
import { createSkippingClock } from '../../support/skipping-clock.ts';
import { testFolder } from '../../support/test-folder.ts';

// Pauses take no time, so that each answer may take its own.
const tools = { runCommand, clock: createSkippingClock().clock };
const probe = (config: SettleConfig) => ({ config, place: 'files[0].settle', placeholders: {}, masks: [] });
const never = new AbortController().signal;

t.test('asks again until the program is well', async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.statusCode = asked < 3 ? 503 : 204;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
  await settle(probe({ kind: 'http', url, timeoutMs: 10_000 }), tools, never);
  t.equal(asked, 3);
  asked = -1000;
  await t.rejects(settle(probe({ kind: 'http', url, timeoutMs: 10_000 }), tools, never), {
    code: 'settle_failed',
    message: /files\[0\]\.settle: http.* was not well within 10s: answered with 503/,
  });
});

t.test('a server that is away or silent is not well', async (t) => {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await t.rejects(settle(probe({ kind: 'http', url, timeoutMs: 60 }), tools, never), {
    message: /no answer/,
  });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await t.rejects(settle(probe({ kind: 'http', url, timeoutMs: 10_000 }), tools, never), {
    message: /ECONNREFUSED/,
  });
});

t.test('runs a command until it ends well', async (t) => {
  const mark = join(testFolder(t), 'mark');
  const command = ['sh', '-c', `test -e ${mark} || { touch ${mark}; exit 1; }`];
  await settle(probe({ kind: 'command', command, timeoutMs: 10_000 }), tools, never);
});

t.test('ends at once when the agent does', async (t) => {
  const abort = new AbortController();
  const settling = settle(
    probe({ kind: 'command', command: ['false'], timeoutMs: 60_000 }),
    tools,
    abort.signal,
  );
  setImmediate(() => abort.abort(new Error('stop')));
  await t.rejects(settling, { message: 'stop' });
});
