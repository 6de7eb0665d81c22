// The agent as a whole, by its built command: start to first file, resident memory, rotation to file.
// `node test/bench/agent.ts [--rounds 5]`
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createDevVault } from '@latchkey/devvault/dev-vault.ts';

const program = resolve(import.meta.dirname, '../../dist/main.js');

interface Bench {
  readonly folder: string;
  readonly address: string;
  write(path: string, value: string): Promise<void>;
  /** Starts the agent with `count` secrets, one file each; resolves when the process is there. */
  start(count: number, refresh: string): { child: ChildProcess; files: string[] };
  close(): Promise<void>;
}

async function setUp(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const vault = createDevVault({ rootToken: 'root' });
  const address = await vault.start();
  let runs = 0;
  return {
    folder,
    address,
    async write(path, value) {
      await vault.request('PUT', `secret/data/${path}`, { data: { value } });
    },
    start(count, refresh) {
      runs += 1;
      const place = join(folder, String(runs));
      const names = Array.from({ length: count }, (_, index) => `s${index}`);
      const files = names.map((name) => join(place, `${name}.conf`));
      const config = {
        upstreams: {
          vault: {
            kind: 'vault',
            address,
            auth: { method: 'token' },
            events: false,
            budget: { requests_per_second: 1000, concurrency: 32 },
          },
        },
        secrets: Object.fromEntries(names.map((name) => [name, { path: `secret/${name}`, refresh }])),
        files: names.map((name, index) => ({
          contents: `{{ field "${name}" "value" }}`,
          destination: files[index],
          create_parents: true,
        })),
        listeners: [{ unix: join(folder, `${runs}.sock`), serve: ['secrets', 'admin'] }],
        state_dir: join(place, 'state'),
        log: { level: 'error' },
      };
      const configPath = join(folder, `${runs}.yaml`);
      writeFileSync(configPath, JSON.stringify(config));
      const child = spawn(program, ['agent', '--config', configPath], {
        // By its shebang line, as users start it, with a folder for compiled code as the unit gives it.
        env: {
          PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
          VAULT_TOKEN: 'root',
          CACHE_DIRECTORY: folder,
        },
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      return { child, files };
    },
    async close() {
      await vault.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function until(what: string, condition: () => boolean, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await delay(1);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolveEnd) => child.once('exit', resolveEnd));
  child.kill('SIGTERM');
  await ended;
}

function residentMiB(pid: number | undefined): { rss: number; own: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { rss: kib('Rss') / 1024, own: (kib('Private_Dirty') + kib('Private_Clean')) / 1024 };
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function measureStart(bench: Bench, count: number, rounds: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const begin = performance.now();
    const { child, files } = bench.start(count, '1h');
    await until(`${count} files`, () => files.every((file) => existsSync(file)));
    times.push(performance.now() - begin);
    await stop(child);
  }
  return times;
}

async function measureMemory(
  bench: Bench,
  count: number,
  settleMs: number,
): Promise<{ rss: number; own: number }> {
  const { child, files } = bench.start(count, '5s');
  await until(`${count} files`, () => files.every((file) => existsSync(file)));
  await delay(settleMs);
  const memory = residentMiB(child.pid);
  await stop(child);
  return memory;
}

async function measureRotation(bench: Bench, rounds: number): Promise<{ polled: number[]; asked: number[] }> {
  const polled: number[] = [];
  const asked: number[] = [];
  for (const [times, refresh] of [
    [polled, '1s'],
    [asked, '1h'],
  ] as const) {
    const { child, files } = bench.start(1, refresh);
    const [file = ''] = files;
    await until('the first file', () => existsSync(file));
    await delay(500);
    for (let round = 0; round < rounds; round += 1) {
      const value = `${refresh} ${round} ${Math.random()}`;
      await bench.write('s0', value);
      const begin = performance.now();
      if (refresh === '1h') child.kill('SIGUSR1');
      await until('the rotation', () => readFileSync(file, 'utf8') === value);
      times.push(performance.now() - begin);
    }
    await stop(child);
  }
  return { polled, asked };
}

export async function benchAgent(rounds: number): Promise<string[]> {
  const bench = await setUp();
  const lines: string[] = [];
  try {
    for (let index = 0; index < 1000; index += 1) await bench.write(`s${index}`, `value ${index}`);
    await measureStart(bench, 1, 1); // fills the compile cache
    const ms = (values: number[]) =>
      `median ${median(values).toFixed(0)} ms, all ${values.map((one) => one.toFixed(0)).join(' ')}`;
    lines.push(`start to first file, 1 secret: ${ms(await measureStart(bench, 1, rounds))}`);
    lines.push(`start to 20 files on 20 secrets: ${ms(await measureStart(bench, 20, rounds))}`);
    lines.push(`start to 1,000 files on 1,000 secrets: ${ms(await measureStart(bench, 1000, 3))}`);
    for (const count of [20, 1000]) {
      const { rss, own } = await measureMemory(bench, count, 10_000);
      lines.push(
        `memory with ${count} secrets and files: ${rss.toFixed(1)} MiB resident, of which ${own.toFixed(1)} MiB private`,
      );
    }
    const { polled, asked } = await measureRotation(bench, rounds * 2);
    lines.push(`rotation to file, polled every 1 s: ${ms(polled)}`);
    lines.push(`rotation to file, asked for by USR1: ${ms(asked)}`);
  } finally {
    await bench.close();
  }
  return lines;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
  for (const line of await benchAgent(Number(values.rounds))) console.log(line);
}
