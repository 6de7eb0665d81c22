// As many events as a week brings, one after another without its pauses: polls, renewals, rotations with their renders and
// programs, local requests on kept and on new connections. Memory and descriptors of the built agent at the beginning, in
// the middle and at the end. Run alone: `node test/soak/week.ts [--share 1] [--program dist/main.js]`, about six minutes.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request as httpRequest, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    program: { type: 'string', default: resolve(import.meta.dirname, '../../dist/main.js') },
    /** Of a week. */
    share: { type: 'string', default: '1' },
  },
});

const secrets = 20;
const leases = 10;
/** The least that a renewal leaves room for: a real one has an hour, and a week of ten of them 2,500 renewals. */
const leaseSeconds = 4;
const week = {
  /** 20 secrets each 30 s. */
  polls: 7 * 24 * 120 * secrets,
  /** One an hour. */
  rotations: 7 * 24,
  /** One a second on kept connections, one a minute on its own. */
  requests: 7 * 24 * 3600,
  connections: 7 * 24 * 60,
};
const paths = ['/secrets/s1/value', '/secrets/s2', '/v1/secret/data/s3', '/secretsmanager/get?secretId=s4'];
/** Parts of the week, after each of which is looked. */
const steps = 20;
const keptConnections = 4;

const told = { polls: 0, renewals: 0, rotations: 0 };
let version = 1;

function dataOf(path: string): object {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const metadata = { created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false };
  const ofThis = name === 's0' ? version : 1;
  return { data: { user: 'app', value: `${name} ${ofThis}` }, metadata: { ...metadata, version: ofThis } };
}

function answer(path: string, response: ServerResponse): void {
  const plain = { request_id: crypto.randomUUID(), lease_id: '', renewable: false, lease_duration: 0 };
  const lease = { renewable: true, lease_duration: leaseSeconds };
  const send = (status: number, body: object): void => {
    const bytes = Buffer.from(JSON.stringify(body));
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length });
    response.end(bytes);
  };
  if (path.startsWith('secret/data/')) {
    told.polls += 1;
    send(200, { ...plain, data: dataOf(path) });
  } else if (path.startsWith('database/creds/'))
    send(200, { ...plain, ...lease, lease_id: `${path}/${crypto.randomUUID()}`, data: { password: 'p' } });
  else if (path.startsWith('sys/leases/renew')) {
    told.renewals += 1;
    send(200, { ...plain, ...lease, lease_id: 'database/creds/x', data: null });
  } else if (path.startsWith('sys/internal/ui/mounts')) {
    const isKv = path.includes('/secret');
    send(200, {
      ...plain,
      data: {
        path: isKv ? 'secret/' : 'database/',
        type: isKv ? 'kv' : 'database',
        options: isKv ? { version: '2' } : null,
      },
    });
  } else if (path.startsWith('auth/token/lookup-self'))
    send(200, {
      ...plain,
      data: { id: 'root', ttl: 0, policies: ['root'], renewable: false, type: 'service' },
    });
  else if (path.startsWith('secret/metadata/')) send(403, { errors: ['permission denied'] });
  else send(200, { initialized: true, sealed: false, standby: false });
}

/** Tells on a socket of its own what only the process itself knows. */
const probe = (socket: string): string => `
  import { createServer } from 'node:net';
  import { runInNewContext } from 'node:vm';
  import { setFlagsFromString } from 'node:v8';
  createServer((connection) => {
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    connection.end(JSON.stringify(process.memoryUsage()));
  }).listen(${JSON.stringify(socket)}).unref();
`;

function start(folder: string, address: string): ChildProcess {
  const names = Array.from({ length: secrets }, (_, index) => `s${index}`);
  const leased = Array.from({ length: leases }, (_, index) => `l${index}`);
  const budget = { requests_per_second: 2000, concurrency: 32 };
  const config = {
    upstreams: { vault: { kind: 'vault', address, auth: { method: 'token' }, events: false, budget } },
    secrets: {
      ...Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh: '1h' }])),
      ...Object.fromEntries(leased.map((name) => [name, { path: `database/creds/${name}` }])),
    },
    files: names.map((name) => ({
      contents: `{{ field "${name}" "value" }}`,
      destination: join(folder, 'files', `${name}.conf`),
      create_parents: true,
      ...(name === 's0' ? { notify: { command: ['true'] } } : {}),
    })),
    listeners: [{ unix: join(folder, 'api.sock'), serve: ['secrets', 'vault', 'aws', 'admin'] }],
    audit: { file: join(folder, 'audit.jsonl') },
    state_dir: join(folder, 'state'),
    log: { level: 'error' },
  };
  writeFileSync(join(folder, 'latchkey.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'probe.mjs'), probe(join(folder, 'probe.sock')));
  const [shebang = ''] = readFileSync(values.program, 'utf8').split('\n', 1);
  const words = shebang.split(' ');
  const flags = words.filter((word) => word.startsWith('--'));
  const env = Object.fromEntries(
    words.filter((word) => /^[A-Z_]+=/.test(word)).map((word) => word.split('=')),
  );
  const args = [`--import=${join(folder, 'probe.mjs')}`, ...flags, values.program, 'agent'];
  return spawn(process.execPath, [...args, '--config', join(folder, 'latchkey.json')], {
    env: {
      ...env,
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      VAULT_TOKEN: 'root',
      CACHE_DIRECTORY: folder,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

async function ask(
  folder: string,
  agent: Agent | false,
  path: string,
  method = 'GET',
  body = '',
): Promise<void> {
  const socketPath = join(folder, 'api.sock');
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  const sent = httpRequest({ socketPath, agent, method, path }, (response) => {
    response.resume();
    response.once('end', done);
    if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode}`));
  });
  sent.once('error', reject);
  sent.end(body);
  return promise;
}

async function askMany(folder: string, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: keptConnections });
  let left = count;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await ask(folder, agent, paths[left % paths.length] ?? '/');
    }
  };
  await Promise.all(Array.from({ length: keptConnections }, one));
  agent.destroy();
}

async function look(pid: number | undefined, folder: string, when: string): Promise<void> {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (key: string): string =>
    (Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024).toFixed(1);
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  // Asked last: it collects.
  const { heapUsed, external } = JSON.parse(
    await text(connect(join(folder, 'probe.sock'))),
  ) as NodeJS.MemoryUsage;
  const heap = `heap ${(heapUsed / 2 ** 20).toFixed(2)}, outside it ${(external / 2 ** 20).toFixed(2)} MiB`;
  const events = `${told.polls} polls, ${told.renewals} renewals, ${told.rotations} rotations`;
  console.log(
    `${when.padEnd(6)} resident ${mib('VmRSS')}, anonymous ${mib('RssAnon')}, ${heap}, ${descriptors} descriptors; ${events}`,
  );
}

async function live(folder: string): Promise<void> {
  const share = Number(values.share) / steps;
  const polls = told.polls + week.polls * share;
  const agent = new Agent({ keepAlive: true });
  for (let one = 0; one < Math.ceil(week.rotations * share); one += 1) {
    version += 1;
    told.rotations += 1;
    await ask(folder, agent, '/refresh', 'POST', JSON.stringify({ names: ['s0'] }));
  }
  const all = JSON.stringify({ names: Array.from({ length: secrets }, (_, index) => `s${index}`) });
  while (told.polls < polls) await ask(folder, agent, '/refresh', 'POST', all);
  await askMany(folder, Math.ceil(week.requests * share));
  for (let one = 0; one < Math.ceil(week.connections * share); one += 1)
    await ask(folder, false, paths[one % paths.length] ?? '/');
  agent.destroy();
}

const folder = mkdtempSync(join(tmpdir(), 'latchkey-week-'));
const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => answer((request.url ?? '').replace(/^\/v1\//, '').replace(/\?.*/, ''), response));
});
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
const child = start(folder, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
const ended = new Promise((end) => child.once('exit', end));
try {
  await delay(5000);
  await look(child.pid, folder, 'start');
  for (let step = 1; step <= steps; step += 1) {
    await live(folder);
    await look(child.pid, folder, `${(step * 100) / steps} %`);
  }
  // What the last rotation left behind is given back a minute later.
  await delay(70_000);
  await look(child.pid, folder, 'rest');
} finally {
  child.kill('SIGTERM');
  await ended;
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
