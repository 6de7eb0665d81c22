// What clients cost that asked once and stay connected: resident memory of the built agent with 20 secrets, without them and with
// them. `node test/bench/idle-clients.ts [--clients 10000] [--program dist/main.js]`
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const secrets = 20;
const programs = 4;
/** As the agent counts them: a connection takes a descriptor, its process another, and 1,024 are for files. */
const descriptorsOfConnection = 2;
const forFiles = 1024;
/** After the start; after the clients came, when the agent has given back what that took. */
const startRestMs = 5000;
const restMs = 65_000;

/** A program of many clients: each asks once, and stays. */
async function stayConnected(socketPath: string, count: number): Promise<void> {
  const kept: Socket[] = [];
  while (kept.length < count) {
    const some = Array.from({ length: Math.min(100, count - kept.length) }, () => connect(socketPath));
    await Promise.all(
      some.map(async (socket) => {
        socket.on('close', () => process.exit(1));
        socket.write('GET /secrets/s1/value HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const [answer] = (await once(socket, 'data')) as [Buffer];
        if (!answer.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(answer.toString('latin1'));
      }),
    );
    kept.push(...some);
  }
  process.send?.('connected');
}

function limitOf(pid: number | 'self' | undefined): number {
  const limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
}

function memoryOf(pid: number | undefined): { rss: number; anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
  return { rss: mib('VmRSS'), anonymous: mib('RssAnon') };
}

/** The secrets are its own environment: no upstream has a part in the figures. */
async function startAgent(folder: string, program: string): Promise<ChildProcess> {
  const names = Array.from({ length: secrets }, (_, index) => `s${index}`);
  const socket = join(folder, 'api.sock');
  const config = {
    upstreams: { own: { kind: 'env' } },
    secrets: Object.fromEntries(names.map((name) => [name, { upstream: 'own', path: name.toUpperCase() }])),
    listeners: [{ unix: socket, serve: ['secrets'] }],
    audit: { file: join(folder, 'audit.jsonl') },
    state_dir: join(folder, 'state'),
    log: { level: 'error' },
  };
  const path = join(folder, 'latchkey.json');
  writeFileSync(path, JSON.stringify(config));
  const child = spawn(program, ['agent', '--config', path], {
    env: {
      ...Object.fromEntries(names.map((name) => [name.toUpperCase(), `value of ${name}`])),
      ...{ PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, CACHE_DIRECTORY: folder },
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error('the agent ended');
    await delay(20);
  }
  return child;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '10000' },
      program: { type: 'string', default: resolve(import.meta.dirname, '../../dist/main.js') },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-idle-'));
  const agent = await startAgent(folder, values.program);
  const clients: ChildProcess[] = [];
  try {
    const most = Math.floor((limitOf(agent.pid) - forFiles) / descriptorsOfConnection);
    const count = Math.min(Number(values.clients), most);
    if (count < Number(values.clients))
      console.log(`${limitOf(agent.pid)} descriptors allow ${count} connections`);
    await delay(startRestMs);
    const before = memoryOf(agent.pid);
    for (let one = 0; one < programs; one += 1) {
      const child = fork(import.meta.filename, [
        join(folder, 'api.sock'),
        String(Math.floor(count / programs)),
      ]);
      clients.push(child);
      await once(child, 'message');
    }
    const at = memoryOf(agent.pid);
    await delay(restMs);
    const after = memoryOf(agent.pid);
    const each = ((after.anonymous - before.anonymous) * 1024) / count;
    const show = ({ rss, anonymous }: typeof at): string =>
      `${rss.toFixed(1)} MiB resident, ${anonymous.toFixed(1)} anonymous`;
    console.log(`none: ${show(before)}`);
    console.log(`${count} clients: at once ${show(at)}; at rest ${show(after)}; ${each.toFixed(1)} KiB each`);
  } finally {
    for (const child of clients) child.kill();
    agent.kill('SIGTERM');
    await once(agent, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

const [socketPath = '', count = ''] = process.argv.slice(2);
if (process.send !== undefined) await stayConnected(socketPath, Number(count));
else if (import.meta.main) await main();
