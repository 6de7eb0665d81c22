import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { createAuditLog } from '../../src/audit/audit-log.ts';
import { verifyAudit } from '../../src/audit/verify-audit.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { AccessConfig } from '../../src/config/resolved.ts';
import { fuzzRequest, sendFuzzed, statusesIn } from '../support/request-fuzzer.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { ask, portOf, startServing, tcpListener, unixListener } from '../support/serving.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

const canary = 'CANARY-5b1f-secret';
const nobodysRules: AccessConfig = {
  strict: true,
  rules: [{ name: 'somebody else', client: { uid: 4_000_000 }, allow: ['*'], vault: [], admin: true }],
};
const requests = 2500;
const seed = 20_261_123;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function fuzz(t: { teardown(callback: () => unknown): void }, rules: AccessConfig | undefined) {
  const file = join(testFolder(t), 'audit.jsonl');
  const settings = { file, onFailure: 'deny', maxBytes: 0, keepFiles: 0 } as const;
  const serving = await startServing({
    ...(rules === undefined ? {} : { rules }),
    audit: createAuditLog({ settings, clock: createSystemClock(), logger: silentLogger }),
    listeners: (folder) => [
      unixListener(join(folder, 'api.sock'), ['secrets', 'vault', 'aws', 'metrics', 'admin']),
      tcpListener(join(folder, 'token'), ['secrets', 'vault', 'aws', 'metrics', 'admin']),
    ],
  });
  t.teardown(() => serving.close());
  serving.put('stripe', { key: canary });
  const port = portOf(serving.server, 'listeners[1]');
  const targets = [{ path: serving.socketPath }, { port, host: '127.0.0.1' }];
  const random = createSeededRandom(seed);
  const answers: { request: string; text: string }[] = [];
  const worker = async (): Promise<void> => {
    while (answers.length < requests) {
      const request = fuzzRequest(random);
      const target = targets[answers.length % 2] ?? { path: serving.socketPath };
      const at = answers.push({ request: request.bytes.toString('latin1'), text: '' }) - 1;
      const text = await sendFuzzed(target, request, 40);
      answers[at] = { request: answers[at]?.request ?? '', text };
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return { serving, answers, file };
}

t.test('a caller without a rule gets nothing out of any request', async (t) => {
  const { serving, answers, file } = await fuzz(t, nobodysRules);
  const leaks = answers.filter(({ text }) => text.includes(canary));
  t.strictSame(leaks, []);
  const wrong = answers.filter(
    ({ request, text }) =>
      statusesIn(text).some((status) => status < 400 && status !== 100) &&
      !/healthz|readyz|ping/.test(request),
  );
  t.strictSame(wrong, []);
  const statuses = new Set(answers.flatMap(({ text }) => statusesIn(text)));
  for (const status of [400, 403, 431]) t.ok(statuses.has(status), `some were answered ${status}`);
  t.notOk(statuses.has(500), 'none met an error of ours');
  t.match(await ask('/healthz', { socketPath: serving.socketPath }), { status: 200 });
  await waitFor('all connections to be gone', () =>
    serving.server.status().every(({ connections }) => connections === 0),
  );
  t.notOk(readFileSync(file, 'utf8').includes(canary));
  t.ok((await verifyAudit([file])).isIntact, 'the audit trail is whole');
});

t.test('a caller with every right breaks nothing, and memory comes back', async (t) => {
  const { serving, answers, file } = await fuzz(t, undefined);
  const statuses = new Set(answers.flatMap(({ text }) => statusesIn(text)));
  t.ok(statuses.has(200));
  t.notOk(statuses.has(500), 'none met an error of ours');
  await waitFor('all connections to be gone', () =>
    serving.server.status().every(({ connections }) => connections === 0),
  );
  t.match(await ask('/secrets/stripe/key', { socketPath: serving.socketPath }), { text: canary });
  t.notOk(readFileSync(file, 'utf8').includes(canary));
  answers.length = 0;
  collectGarbage();
  t.ok(process.memoryUsage().heapUsed < 64 * 1024 * 1024, 'the heap is small again');
  t.match(serving.registry.render(), /latchkey_open_waits 0[\s\S]*latchkey_open_event_streams 0/);
});

t.test('a client that does not finish its headers is cut with 408', async (t) => {
  const serving = await startServing();
  t.teardown(() => serving.close());
  const socket = connect(serving.socketPath);
  socket.write('GET /secrets HTTP/1.1\r\nHost: loc');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  t.match(text, /^HTTP\/1\.1 408 [\s\S]*"code":"timeout"/);
});

t.test('a client that does not read its events is cut', async (t) => {
  const serving = await startServing();
  t.teardown(() => serving.close());
  const names = Array.from({ length: 200 }, (_, index) => `${'n'.repeat(200)}${index}`);
  for (const name of names) serving.put(name, { key: '0' });
  const socket = connect(serving.socketPath);
  socket.pause();
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await waitFor('the stream', () => serving.registry.render().includes('latchkey_open_event_streams 1'));
  let round = 0;
  await waitFor('the cut', () => {
    round += 1;
    for (const name of names) serving.put(name, { key: String(round) });
    return serving.registry.render().includes('latchkey_open_event_streams 0');
  });
  socket.destroy();
});
