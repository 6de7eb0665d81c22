// The agent as a whole, by its built command: start to its files, what it holds and does after that, rotation to file.
// `node test/bench/agent.ts [--rounds 5]`; `--program PATH`, several times, takes other builds in turn with this one. `--rest
// 1000:5s --at 10,70,180` looks at one that rests (secrets, refresh) after so many seconds, and at nothing else.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createDevVault } from '@latchkey/devvault/dev-vault.ts';
import { memoryOf, middle, ourProgram, processorMs } from './peers/running.ts';

interface Bench {
  readonly folder: string;
  readonly address: string;
  write(path: string, value: string): Promise<void>;
  /** Starts the agent with `count` secrets, one file each. */
  start(program: string, count: number, refresh: string): { child: ChildProcess; files: string[] };
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
    start(program, count, refresh) {
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

interface Start {
  readonly ms: number;
  readonly processor: number;
}

/** By program, each in turn. */
async function measureStarts(
  bench: Bench,
  programs: readonly string[],
  count: number,
  rounds: number,
): Promise<Map<string, Start[]>> {
  const starts = new Map(programs.map((program) => [program, [] as Start[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [program, all] of starts) {
      const begin = performance.now();
      const { child, files } = bench.start(program, count, '1h');
      await until(`${count} files`, () => files.every((file) => existsSync(file)));
      all.push({ ms: performance.now() - begin, processor: processorMs(child.pid) });
      await stop(child);
    }
  }
  return starts;
}

/** How often its main thread has gone to sleep. */
function sleepsOf(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
}

/** One line for each look. `at`: seconds after the last file. */
async function* measureRest(
  bench: Bench,
  program: string,
  { count, refresh, at }: { count: number; refresh: string; at: readonly number[] },
): AsyncGenerator<string> {
  const { child, files } = bench.start(program, count, refresh);
  try {
    await until(`${count} files`, () => files.every((file) => existsSync(file)));
    const look = () => ({
      at: performance.now(),
      processor: processorMs(child.pid),
      sleeps: sleepsOf(child.pid),
    });
    const begin = look();
    let before = begin;
    for (const seconds of at) {
      await delay(begin.at + seconds * 1000 - performance.now());
      const { residentMiB, anonymousMiB } = memoryOf(child.pid);
      const now = look();
      const passed = (now.at - before.at) / 1000;
      yield [
        `${count} secrets and files, refresh ${refresh}, after ${seconds} s: ${residentMiB.toFixed(1)} MiB resident`,
        `${anonymousMiB.toFixed(1)} MiB anonymous`,
        `since the last look ${((now.processor - before.processor) / passed).toFixed(2)} ms of processor`,
        `and ${((now.sleeps - before.sleeps) / passed).toFixed(1)} wakes a second`,
      ].join(', ');
      before = now;
    }
  } finally {
    await stop(child);
  }
}

async function measureRotation(
  bench: Bench,
  program: string,
  rounds: number,
): Promise<{ polled: number[]; asked: number[] }> {
  const polled: number[] = [];
  const asked: number[] = [];
  for (const [times, refresh] of [
    [polled, '1s'],
    [asked, '1h'],
  ] as const) {
    const { child, files } = bench.start(program, 1, refresh);
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

function shown(what: string, program: string, numbers: readonly number[]): string {
  const all = numbers.map((one) => one.toFixed(0)).join(' ');
  return `${program}: ${what}: median ${middle(numbers).toFixed(0)} ms, all ${all}`;
}

async function benchStarts(bench: Bench, programs: readonly string[], rounds: number): Promise<void> {
  await measureStarts(bench, programs, 1, 1); // fills the folder of compiled code
  for (const [count, times] of [
    [1, rounds],
    [20, rounds],
    [1000, Math.min(3, rounds)],
  ] as const) {
    for (const [program, all] of await measureStarts(bench, programs, count, times)) {
      const wall = all.map(({ ms }) => ms);
      const processor = all.map((one) => one.processor);
      console.log(shown(`start to ${count} files`, program, wall));
      console.log(shown(`start to ${count} files, processor`, program, processor));
    }
  }
}

async function benchRotations(bench: Bench, programs: readonly string[], rounds: number): Promise<void> {
  for (const program of programs) {
    const { polled, asked } = await measureRotation(bench, program, rounds);
    console.log(shown('rotation to file, polled every 1 s', program, polled));
    console.log(shown('rotation to file, asked for by USR1', program, asked));
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      program: { type: 'string', multiple: true, default: [] },
      rest: { type: 'string' },
      at: { type: 'string', default: '10' },
    },
  });
  const rounds = Number(values.rounds);
  const programs = [ourProgram, ...values.program];
  const bench = await setUp();
  try {
    for (let index = 0; index < 1000; index += 1) await bench.write(`s${index}`, `value ${index}`);
    if (values.rest === undefined) await benchStarts(bench, programs, rounds);
    for (const wanted of values.rest === undefined ? ['20:5s', '1000:5s'] : [values.rest]) {
      const [count, refresh = '5s'] = wanted.split(':');
      const rest = { count: Number(count), refresh, at: values.at.split(',').map(Number) };
      for (const program of programs)
        for await (const line of measureRest(bench, program, rest)) console.log(`${program}: ${line}`);
    }
    if (values.rest === undefined) await benchRotations(bench, programs, rounds * 2);
  } finally {
    await bench.close();
  }
}

if (import.meta.main) await main();
