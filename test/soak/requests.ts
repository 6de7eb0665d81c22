// A million requests of all kinds against one agent, as a user with every right, as one with a rule, and as a stranger: what
// the agent has in memory, in descriptors and on the disk before and after. `nice node test/soak/requests.ts
// [--requests N] [--lanes N]`. Exits with 1 when it has grown.
import { fork, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ask } from '../support/serving.ts';
import { startStubVault } from '../support/stub-vault.ts';
import { waitFor } from '../support/wait-for.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    lanes: { type: 'string', default: '8' },
    /** A lane of its own: the socket and how many. */
    lane: { type: 'string' },
  },
});
const total = Number(values.requests);
const upstreamConnections = 64;
const [ruled, stranger] = [61_001, 61_002];
/** Between the least of the first rounds and the least of the last ones: what is there between two collections is no growth. */
const allowedGrowthKb = 32 * 1024;
const roundsCompared = 5;

const head = (line: string, more = ''): string => `${line} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const wait = 'If-None-Match: *\r\n';
type Kind = readonly [name: string, make: (number: number) => string, ends?: 'torn'];
/** `torn`: the client goes away without its answer, or in the middle of it. */
const kinds: readonly Kind[] = [
  ['LIST', () => head('LIST /v1/secret/metadata/app')],
  ['LIST by query', () => head('GET /v1/secret/metadata/app?list=true')],
  ['LIST of another dialect', () => head('LIST /secrets/app')],
  ['a secret', () => head('GET /secrets/app')],
  ['a field', () => head('GET /secrets/app/key')],
  ['not modified', () => head('GET /secrets/app', wait)],
  ['names', () => head('GET /secrets')],
  ['unknown names', (number) => head(`GET /secrets/${number}/${'x'.repeat(500)}`)],
  ['a secret of the vault', () => head('GET /v1/secret/data/app')],
  ['many secrets of the vault', (number) => head(`GET /v1/secret/data/${number % 300}`)],
  [
    'a write',
    (number) => `${head('POST /v1/secret/data/app', 'Content-Length: 100\r\n')}${String(number).padEnd(100)}`,
  ],
  ['a torn body', () => `${head('POST /v1/secret/data/app', 'Content-Length: 100\r\n')}half`, 'torn'],
  [
    'a long body',
    () => `${head('POST /v1/secret/data/app', 'Content-Length: 300000\r\n')}${'y'.repeat(100_000)}`,
    'torn',
  ],
  ['health', () => head('GET /healthz')],
  ['status', () => head('GET /status')],
  ['metrics', () => head('GET /metrics')],
  ['explain', () => head('GET /explain?secret=app')],
  ['a foreign host', (number) => `GET / HTTP/1.1\r\nHost: ${number}.example\r\n\r\n`],
  ['an origin', (number) => head('GET /secrets/app', `Origin: http://${number}\r\n`)],
  ['long URLs', (number) => head(`GET /v1/sys/${number}?${'x'.repeat(8000)}`)],
  ['many headers', (number) => head('GET /secrets/app', `X-${number}: ${'y'.repeat(4000)}\r\n`)],
  ['methods that there are not', () => head('BREW /secrets/app')],
  ['no HTTP', (number) => `\x16\x03\x01${number}\r\n\r\n`],
  ['headers that are too large', () => head('GET /', `X: ${'z'.repeat(20_000)}\r\n`)],
  ['torn requests', () => 'GET /secrets/app HTTP/1.1\r\nHo', 'torn'],
  ['waits', () => head('GET /secrets/app?wait=60s', wait), 'torn'],
  ['waits in a row', () => head('GET /secrets/app?wait=60s', wait).repeat(10), 'torn'],
  ['streams', () => head('GET /events'), 'torn'],
  ['answers that nobody reads', () => head('GET /secrets').repeat(10), 'torn'],
  ['nothing at all', () => '', 'torn'],
];

/** One after the other, each on the connection that is there or on a new one. */
async function runLane(socketPath: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; ) {
    const [, make, ends] = kinds[Math.floor(Math.random() * kinds.length)] ?? kinds[0] ?? ['', () => ''];
    sent += await sendSome(socketPath, make, ends === 'torn', Math.min(50, count - sent));
  }
}

function sendSome(
  socketPath: string,
  make: (number: number) => string,
  isTorn: boolean,
  most: number,
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let sent = 0;
  const next = (): void => {
    sent += 1;
    socket.write(make(Math.floor(Math.random() * 1e9)));
    if (isTorn) setImmediate(() => socket.destroy());
  };
  const socket = connect(socketPath, next);
  socket.setTimeout(5000, () => socket.destroy());
  socket.on('data', (bytes) => {
    if (!/\r\n\r\n.|content-length: 0|304 /is.test(bytes.toString('latin1'))) return;
    if (sent < most && !isTorn) next();
    else socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(Math.max(1, sent)));
  return promise;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-soak-'));
  chmodSync(folder, 0o755);
  const vault = await startStubVault();
  vault.route(({ path }) => {
    if (path.startsWith('sys/internal/ui/mounts'))
      return { json: { data: { path: 'secret/', type: 'kv', options: { version: '2' } } } };
    if (path === 'auth/token/lookup-self')
      return { json: { data: { ttl: 0, renewable: false, policies: [] } } };
    if (!path.startsWith('secret/')) return undefined;
    return path.startsWith('secret/data/')
      ? { json: { request_id: 'r', data: { data: { key: 'k' }, metadata: { version: 1 } } } }
      : { json: { data: { keys: ['a', 'b'] } } };
  });
  const socketPath = join(folder, 'latchkey.sock');
  const all = [{ path: '*', methods: ['GET', 'LIST', 'POST'] }];
  const config = {
    upstreams: {
      vault: {
        ...{ kind: 'vault', address: vault.address, auth: { method: 'token' } },
        budget: { requests_per_second: 100_000, concurrency: upstreamConnections },
      },
    },
    secrets: { app: { path: 'secret/data/app' } },
    listeners: [{ unix: socketPath, mode: '0666', serve: ['secrets', 'admin', 'metrics', 'vault'] }],
    access: [{ name: 'ruled', client: { uid: ruled }, allow: ['app'], vault: all }],
    audit: { file: join(folder, 'audit.jsonl'), max_size: '4MiB', keep: 3 },
    log: { level: 'warn', file: join(folder, 'agent.log') },
    state_dir: join(folder, 'state'),
  };
  writeFileSync(join(folder, 'latchkey.yaml'), JSON.stringify(config), { mode: 0o600 });
  const main = join(import.meta.dirname, '../../dist/main.js');
  const agent = spawn(process.execPath, [main, 'agent', '--config', join(folder, 'latchkey.yaml')], {
    env: { PATH: '/usr/bin:/bin', VAULT_TOKEN: 'the-agents-own-token' },
    stdio: 'inherit',
  });
  let hasEnded = false;
  agent.on('exit', () => {
    hasEnded = true;
  });
  const failures: string[] = [];
  try {
    const isReady = async () => (await ask('/readyz', { socketPath }).catch(() => undefined))?.status === 200;
    await waitFor('the agent', isReady);
    const measure = () => measureAgent(agent.pid ?? 0, folder);
    let before = measure();
    const lanes = Number(values.lanes);
    const [rounds, startedAt] = [20, performance.now()];
    const resident: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      // The first one brings heap and caches to the size that such work wants, and is not counted.
      const each = Math.ceil(total / rounds / lanes);
      await Promise.all(
        Array.from({ length: lanes }, (_, lane) =>
          startLane(socketPath, each, [0, ruled, stranger][lane % 3]),
        ),
      );
      vault.requests.length = 0;
      // Connections of those who went away end a moment later.
      await delay(3000);
      const now = measure();
      if (round === 0) before = now;
      else resident.push(now.residentKb);
      console.log(
        `${round * each * lanes} requests, ${Math.round((performance.now() - startedAt) / 1000)} s: ${JSON.stringify(now)}`,
      );
    }
    const after = measure();
    const grownKb =
      Math.min(...resident.slice(-roundsCompared)) - Math.min(...resident.slice(0, roundsCompared));
    if (grownKb > allowedGrowthKb) failures.push(`resident memory has grown by ${grownKb} KiB`);
    // Connections to the vault are kept, as many as its budget has requests at a time.
    if (after.descriptors > before.descriptors + upstreamConnections) failures.push('descriptors have grown');
    // Two trails, each of a file and three before it.
    if (after.auditKb > 2 * 4 * 4 * 1024 * 1.1)
      failures.push('the audit files have grown beyond their bound');
    if (!(await isReady())) failures.push('the agent does not answer');
    const metrics = (await ask('/metrics', { socketPath })).text;
    for (const gauge of ['latchkey_open_waits', 'latchkey_open_event_streams']) {
      if (!metrics.includes(`${gauge} 0`)) failures.push(`${gauge} is not 0`);
    }
  } finally {
    if (hasEnded) failures.push('the agent has ended');
    agent.kill('SIGTERM');
    await waitFor('the agent to end', () => hasEnded);
    await vault.close();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(failures.length === 0 ? 'no growth' : failures.join('; '));
  process.exitCode = failures.length === 0 ? 0 : 1;
}

function startLane(socketPath: string, count: number, uid = 0): Promise<void> {
  const child = fork(import.meta.filename, ['--lane', socketPath, '--requests', String(count)], {
    ...(process.getuid?.() === 0 ? { uid, gid: uid } : {}),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise((resolve) => child.on('exit', () => resolve()));
}

function measureAgent(pid: number, folder: string) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const sizes = readdirSync(folder)
    .filter((name) => name.startsWith('audit'))
    .map((name) => statSync(join(folder, name)).size);
  return {
    residentKb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
    threads: Number(/Threads:\s+(\d+)/.exec(status)?.[1]),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    auditKb: Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1024),
    logKb: Math.round((statSync(join(folder, 'agent.log'), { throwIfNoEntry: false })?.size ?? 0) / 1024),
  };
}

if (values.lane === undefined) await main();
else await runLane(values.lane, total);
