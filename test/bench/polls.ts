// What a poll that finds nothing new costs: the built agent before a stub that answers as a Vault with KV version 2, its
// processor time (all threads) for each request that it makes. `node test/bench/polls.ts [--program dist/main.js]...`
// takes several programs in turn, so that a busy machine slows all.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    program: {
      type: 'string',
      multiple: true,
      default: [resolve(import.meta.dirname, '../../dist/main.js')],
    },
    secrets: { type: 'string', default: '200' },
    refresh: { type: 'string', default: '1s' },
    seconds: { type: 'string', default: '4' },
    /** Polls of each secret before any is counted. */
    warm: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    /** Without: the token may read no metadata, and a poll reads the secret itself. */
    metadata: { type: 'boolean', default: false },
    'node-flag': { type: 'string', multiple: true, default: [] },
  },
});

let polls = 0;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '').replace('/v1/', '');
  const [status, body] = answerTo(path);
  const text = JSON.stringify(body);
  if (/^secret\//.test(path)) polls += 1;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

const version = { created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false };
const wrapped = (data: object): object => ({
  ...{
    request_id: '9d3b6d0c-3b53-4f44-8d2f-0d1d0d3d9d3b',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
  },
  ...{ data, wrap_info: null, warnings: null, auth: null, mount_type: 'kv' },
});

function answerTo(path: string): [number, object] {
  if (path.startsWith('secret/data/'))
    return [
      200,
      wrapped({
        data: { user: 'app', password: path },
        metadata: { ...version, custom_metadata: null, version: 3 },
      }),
    ];
  if (path.startsWith('secret/metadata/') && values.metadata)
    return [200, wrapped({ current_version: 3, versions: { 1: version, 2: version, 3: version } })];
  if (path.startsWith('secret/metadata/')) return [403, { errors: ['permission denied'] }];
  if (path.startsWith('sys/internal/ui/mounts'))
    return [200, wrapped({ path: 'secret/', type: 'kv', options: { version: '2' } })];
  if (path.startsWith('auth/token/lookup-self'))
    return [200, wrapped({ id: 'root', ttl: 0, policies: ['root'], renewable: false, type: 'service' })];
  return [200, { initialized: true, sealed: false, standby: false }];
}

function start(program: string, folder: string, address: string): ChildProcess {
  const names = Array.from({ length: Number(values.secrets) }, (_, index) => `s${index}`);
  const config = {
    upstreams: {
      vault: {
        ...{ kind: 'vault', address, auth: { method: 'token' }, events: false },
        budget: { requests_per_second: 2000, concurrency: 32 },
      },
    },
    secrets: Object.fromEntries(
      names.map((name) => [name, { path: `secret/${name}`, refresh: values.refresh }]),
    ),
    listeners: [{ unix: join(folder, 'api.sock'), serve: ['secrets', 'admin'] }],
    state_dir: join(folder, 'state'),
    log: { level: 'error' },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  const flags = [...flagsOf(program), ...values['node-flag']];
  return spawn(process.execPath, [...flags, program, 'agent', '--config', join(folder, 'config.yaml')], {
    env: { PATH: dirname(process.execPath), VAULT_TOKEN: 'root' },
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: folder,
  });
}

/** Those of its first line, as users start it. */
function flagsOf(program: string): string[] {
  const [shebang = ''] = readFileSync(program, 'utf8').split('\n', 1);
  return shebang.split(' ').filter((word) => word.startsWith('--'));
}

/** Milliseconds of all threads. */
function processorMs(pid: number | undefined): number {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder).reduce(
    (sum, task) => sum + Number(readFileSync(`${folder}/${task}/schedstat`, 'latin1').split(' ')[0]) / 1e6,
    0,
  );
}

async function measure(program: string, address: string): Promise<{ perPollMs: number; perSecond: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-polls-'));
  const child = start(program, folder, address);
  const ended = new Promise((end) => child.once('exit', end));
  try {
    polls = 0;
    while (polls < Number(values.warm) * Number(values.secrets)) await delay(50);
    const before = { at: performance.now(), ms: processorMs(child.pid), polls };
    await delay(Number(values.seconds) * 1000);
    const made = polls - before.polls;
    return {
      perPollMs: (processorMs(child.pid) - before.ms) / made,
      perSecond: (made / (performance.now() - before.at)) * 1000,
    };
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

const server = createServer(answer);
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const least = new Map<string, number>();
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const program of values.program) {
    const { perPollMs, perSecond } = await measure(program, address);
    least.set(program, Math.min(perPollMs, least.get(program) ?? Number.POSITIVE_INFINITY));
    process.stdout.write(
      `${program}: ${perPollMs.toFixed(3)} ms a poll at ${perSecond.toFixed(0)} polls a second\n`,
    );
  }
}
for (const [program, ms] of least)
  process.stdout.write(
    `${program}: least ${ms.toFixed(3)} ms; 1,000 every 30 s: ${((ms * 1000) / 30).toFixed(1)} ms a second\n`,
  );
server.closeAllConnections();
server.close();
