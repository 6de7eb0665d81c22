// What a command of a moment costs beside Node alone: processor time of all its threads, the least and the median of interleaved
// rounds, with the instructions that valgrind counts where it is installed. `node test/bench/commands.ts [--rounds 30]`
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

const program = resolve(import.meta.dirname, '../../dist/main.js');
const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };

/** Another thread, as this one waits for the commands. What the agent itself takes is no part of theirs. */
const serverScript = `
  const { createServer } = require('node:http');
  const { parentPort, workerData } = require('node:worker_threads');
  createServer((request, answer) => answer.end(request.url.startsWith('/secrets/') ? 'v1' : '{}'))
    .listen(workerData, () => parentPort.postMessage('listening'));
`;

function commandsOf(socket: string): Record<string, readonly string[]> {
  return {
    'node -e 0': [process.execPath, '-e', '0'],
    'latchkey get': [program, 'get', '--socket', socket, 'app', 'word'],
    'latchkey version': [program, 'version'],
    'latchkey --help': [program, '--help'],
  };
}

/** In milliseconds. The shell's own count, which has more digits than that of the kernel's files for a process. */
function processorTime(command: readonly string[]): number {
  const script = 'TIMEFORMAT="%3U %3S"; time "$0" "$@" | cat';
  const { stderr, status } = spawnSync('bash', ['--norc', '-c', script, ...command], {
    env,
    encoding: 'utf8',
  });
  const [user, system] = stderr.trim().split(' ').map(Number);
  if (status !== 0 || user === undefined || system === undefined) throw new Error(`${command}: ${stderr}`);
  return (user + system) * 1000;
}

function millionInstructions(command: readonly string[]): number | undefined {
  if (spawnSync('valgrind', ['--version']).status !== 0) return undefined;
  const tool = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--smc-check=all-non-file'];
  const { stderr } = spawnSync('valgrind', [...tool, '--trace-children=yes', ...command], {
    env,
    encoding: 'utf8',
  });
  const totals = [...stderr.matchAll(/Collected\s*:\s*(?<count>\d+)/g)].map((match) => Number(match[1]));
  return totals.length === 0 ? undefined : totals.reduce((sum, one) => sum + one, 0) / 1e6;
}

function row(name: string, times: readonly number[], node: number): string {
  const sorted = times.toSorted((a, b) => a - b);
  const [least = 0] = sorted;
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${name.padEnd(18)} ${least.toFixed(1)} ms, median ${middle.toFixed(1)} ms, ${(least / node).toFixed(2)} × node`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' } } });
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const socket = join(folder, 'agent.sock');
  const worker = new Worker(serverScript, { eval: true, workerData: socket });
  await new Promise((done) => worker.once('message', done));
  try {
    const commands = Object.entries(commandsOf(socket));
    const times = new Map(commands.map(([name]) => [name, [] as number[]]));
    for (let round = 0; round < Number(values.rounds); round += 1)
      for (const [name, command] of commands) times.get(name)?.push(processorTime(command));
    const node = Math.min(...(times.get('node -e 0') ?? []));
    for (const [name, command] of commands) {
      const count = millionInstructions(command);
      const counted = count === undefined ? '' : `, ${count.toFixed(0)} M instructions`;
      console.log(row(name, times.get(name) ?? [], node) + counted);
    }
  } finally {
    await worker.terminate();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
