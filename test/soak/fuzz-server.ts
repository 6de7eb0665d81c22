// 100,000 bad requests against one agent's listeners, half of them by a caller with every right: no crash, no hang, no
// value to a caller without a rule, memory back to where it was. `nice node test/soak/fuzz-server.ts [--requests N] [--seed N]`.
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fuzzRequest, sendFuzzed, statusesIn } from '../support/request-fuzzer.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { ask, portOf, startServing, tcpListener, unixListener } from '../support/serving.ts';
import { waitFor } from '../support/wait-for.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const total = Number(values.requests);
const canary = 'CANARY-5b1f-secret';
const nobody = {
  strict: true,
  rules: [{ name: 'x', client: { uid: 4_000_000 }, allow: ['*'], vault: [], admin: true }],
};
const dialects = ['secrets', 'vault', 'aws', 'metrics', 'admin'] as const;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const serving = await startServing({
  listeners: (folder) => [
    unixListener(`${folder}/api.sock`, [...dialects]),
    tcpListener(`${folder}/token`, [...dialects]),
  ],
});
serving.put('stripe', { key: canary });
const targets = [
  { path: serving.socketPath },
  { port: portOf(serving.server, 'listeners[1]'), host: '127.0.0.1' },
];
const random = createSeededRandom(Number(values.seed));
const statuses = new Map<string, number>();
let [sent, leaks, baseline] = [0, 0, 0];

async function worker(isAllowed: boolean): Promise<void> {
  while (sent < (isAllowed ? total : total / 2)) {
    sent += 1;
    const request = fuzzRequest(random);
    const text = await sendFuzzed(targets[sent % 2] ?? { path: '' }, request, 40);
    for (const status of statusesIn(text)) {
      const key = `${isAllowed ? 'allowed' : 'nobody'} ${status}`;
      statuses.set(key, (statuses.get(key) ?? 0) + 1);
    }
    if (!isAllowed && text.includes(canary)) leaks += 1;
    if (sent === total / 10) baseline = settledHeap();
  }
}

function settledHeap(): number {
  collectGarbage();
  return Math.round(process.memoryUsage().heapUsed / 1024);
}

const startedAt = performance.now();
serving.access.replace(nobody);
await Promise.all(Array.from({ length: 16 }, () => worker(false)));
serving.access.replace({ rules: [], strict: false });
await Promise.all(Array.from({ length: 16 }, () => worker(true)));
const isAlive = (await ask('/secrets/stripe/key', { socketPath: serving.socketPath })).text === canary;
const connectionsNow = () => serving.server.status().map((status) => status.connections);
await waitFor('the connections to end', () => connectionsNow().every((count) => count === 0)).catch(
  () => undefined,
); // counted below
const heap = settledHeap();
const connections = connectionsNow();
const has500 = [...statuses.keys()].some((key) => key.endsWith(' 500'));
const isGood =
  isAlive && leaks === 0 && !has500 && heap < baseline + 8192 && connections.every((count) => count === 0);
process.stdout.write(
  `${JSON.stringify({ requests: sent, seconds: Math.round((performance.now() - startedAt) / 1000), leaks, isAlive, connections, heapKiB: { baseline, heap }, statuses: Object.fromEntries([...statuses].sort()) }, null, 2)}\n`,
);
await serving.close();
process.exit(isGood ? 0 : 1);
