// Cached lookups against a bare node:http server that answers the same bytes: ratios of requests a second within one
// run, unix socket and loopback TCP, 1 and 32 connections. `node test/bench/serve.ts [--seconds 0.5] [--rounds 9]`;
// `--beside unaudited` compares with itself without an audit file, `--beside /v1/secret/data/stripe` with another path of itself;
// `--busy 4` lets as many endless loops run beside.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ask } from '../support/serving.ts';
import type { LoadJob, LoadResult } from './serve-load.ts';
import type { TargetAddresses } from './serve-target.ts';

export interface ServeFigure {
  readonly transport: 'unix' | 'tcp';
  readonly connections: number;
  readonly latchkey: LoadResult;
  readonly bare: LoadResult;
  /** Median of the rounds' ratios of requests a second. */
  readonly ratio: number;
  /** Processor time of one request in microseconds: what a busy machine does not blur. */
  readonly latchkeyCpuUs: number;
  readonly bareCpuUs: number;
}

/** A path: another of the same server. */
type Beside = 'bare' | 'unaudited' | `/${string}`;

const folder = import.meta.dirname;

/** Rounds alternate between the two servers, so that a busy machine slows both. */
export async function benchServe(options: {
  seconds: number;
  rounds: number;
  path: string;
  beside: Beside;
}): Promise<ServeFigure[]> {
  const load = startPart('serve-load.ts', []);
  const latchkey = startPart('serve-target.ts', ['latchkey'], shippedFlags());
  const parts = [load, latchkey];
  try {
    const addresses = JSON.parse(await latchkey.nextLine()) as TargetAddresses;
    const { beside } = options;
    const otherPath = isPath(beside) ? beside : options.path;
    const bare = isPath(beside) ? latchkey : await startOther(beside, options.path, addresses);
    if (bare !== latchkey) parts.push(bare);
    const bareAddresses =
      bare === latchkey ? addresses : (JSON.parse(await bare.nextLine()) as TargetAddresses);
    const figures: ServeFigure[] = [];
    for (const transport of ['unix', 'tcp'] as const) {
      for (const connections of [1, 32]) {
        const job = (target: TargetAddresses, path: string): LoadJob => ({
          target: transport === 'unix' ? { path: target.unix } : { port: target.port, host: '127.0.0.1' },
          // The bare server has none of its own, and reads as much.
          request: requestText(path, transport, target.token || addresses.token),
          connections,
          durationMs: options.seconds * 1000,
        });
        const run = async (part: Part, target: TargetAddresses, path: string): Promise<Run> => {
          const before = part.cpuUs();
          const result = JSON.parse(await load.ask(JSON.stringify(job(target, path)))) as LoadResult;
          return { result, cpuUs: (part.cpuUs() - before) / (result.requestsPerSecond * options.seconds) };
        };
        const runOurs = () => run(latchkey, addresses, options.path);
        const runTheirs = () => run(bare, bareAddresses, otherPath);
        await runOurs();
        await runTheirs();
        const rounds: { ours: Run; theirs: Run }[] = [];
        for (let round = 0; round < options.rounds; round += 1) {
          const isFirst = round % 2 === 0;
          const early = isFirst ? await runOurs() : await runTheirs();
          const late = isFirst ? await runTheirs() : await runOurs();
          rounds.push(isFirst ? { ours: early, theirs: late } : { ours: late, theirs: early });
        }
        figures.push({ transport, connections, ...middleOf(rounds) });
      }
    }
    return figures;
  } finally {
    for (const part of parts) part.end();
  }
}

function isPath(beside: Beside): beside is `/${string}` {
  return beside.startsWith('/');
}

/** What ours is compared with; a bare server answers what ours does. */
async function startOther(
  beside: 'bare' | 'unaudited',
  path: string,
  { unix }: TargetAddresses,
): Promise<Part> {
  if (beside === 'unaudited') return startPart('serve-target.ts', [beside], shippedFlags());
  const sample = await ask(path, { socketPath: unix });
  const { date: _date, connection: _connection, 'keep-alive': _keepAlive, ...kept } = sample.headers;
  return startPart('serve-target.ts', [beside, JSON.stringify({ headers: titled(kept), body: sample.text })]);
}

export interface CrowdFigure {
  readonly active: number;
  readonly idle: number;
  readonly result: LoadResult;
  readonly residentMiB: number;
}

/** Many clients at once on the unix socket: how fast it answers then, and what it holds. */
/** One program may have half of the connections; with 20,000 open files that is somewhat more than these. */
const ofOneProgram = 4000;

export async function benchCrowd(options: { seconds: number; path: string }): Promise<CrowdFigure[]> {
  const load = startPart('serve-load.ts', []);
  const latchkey = startPart('serve-target.ts', ['latchkey'], shippedFlags());
  try {
    const addresses = JSON.parse(await latchkey.nextLine()) as TargetAddresses;
    const figures: CrowdFigure[] = [];
    for (const { active, idle } of [
      { active: 1, idle: 0 },
      { active: 1000, idle: 0 },
      { active: 1, idle: ofOneProgram },
      { active: 32, idle: ofOneProgram },
    ]) {
      const job: LoadJob = {
        target: { path: addresses.unix },
        request: requestText(options.path, 'unix', ''),
        connections: active,
        durationMs: options.seconds * 1000,
        idle,
      };
      const result = JSON.parse(await load.ask(JSON.stringify(job))) as LoadResult;
      figures.push({ active, idle, result, residentMiB: latchkey.residentMiB() });
    }
    return figures;
  } finally {
    load.end();
    latchkey.end();
  }
}

function besideOf(word: string): Beside {
  if (word.startsWith('/')) return `/${word.slice(1)}`;
  return word === 'unaudited' ? 'unaudited' : 'bare';
}

type Part = ReturnType<typeof startPart>;

interface Run {
  readonly result: LoadResult;
  readonly cpuUs: number;
}

function middleOf(rounds: { ours: Run; theirs: Run }[]): Omit<ServeFigure, 'transport' | 'connections'> {
  const ratioOf = ({ ours, theirs }: { ours: Run; theirs: Run }): number =>
    ours.result.requestsPerSecond / theirs.result.requestsPerSecond;
  const median = (numbers: number[]): number =>
    numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
  const sorted = rounds.toSorted((a, b) => ratioOf(a) - ratioOf(b));
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error('expected at least one round');
  return {
    latchkey: middle.ours.result,
    bare: middle.theirs.result,
    ratio: ratioOf(middle),
    latchkeyCpuUs: median(rounds.map(({ ours }) => ours.cpuUs)),
    bareCpuUs: median(rounds.map(({ theirs }) => theirs.cpuUs)),
  };
}

function requestText(path: string, transport: 'unix' | 'tcp', token: string): string {
  // A Vault client has one header for its token; on TCP it shows the listener's there.
  const header = path.startsWith('/v1/') ? `X-Vault-Token: ${token}` : `Authorization: Bearer ${token}`;
  const proof = transport === 'tcp' ? `${header}\r\n` : '';
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${proof}Accept: */*\r\n\r\n`;
}

function titled(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()),
      String(value),
    ]),
  );
}

/** The flags for Node in the built command's first line. */
function shippedFlags(): string[] {
  const [shebang = ''] = readFileSync(`${folder}/../../dist/main.js`, 'utf8').split('\n');
  // Those that an agent sets by itself: src/agent/host/tune-heap.ts.
  const own = ['--heap-growing-percent=20', '--no-maglev', '--no-sparkplug', '--no-parallel-scavenge'];
  return [...shebang.split(' ').filter((word) => word.startsWith('--')), ...own];
}

function startPart(file: string, args: readonly string[], nodeFlags: readonly string[] = []) {
  const child: ChildProcess = spawn(process.execPath, [...nodeFlags, `${folder}/${file}`, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error(`${file} has no output`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${file} ended`);
    return value as string;
  };
  return {
    nextLine,
    ask(text: string): Promise<string> {
      child.stdin?.write(`${text}\n`);
      return nextLine();
    },
    end: () => child.stdin?.end(),
    residentMiB: () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1]) / 1024,
    /** Of all threads, from /proc; counted in ticks of 10 ms. */
    cpuUs(): number {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10_000;
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '0.5' },
      rounds: { type: 'string', default: '9' },
      path: { type: 'string', default: '/secrets/stripe' },
      beside: { type: 'string', default: 'bare' },
      busy: { type: 'string', default: '0' },
    },
  });
  const { seconds, rounds, path } = values;
  const beside = besideOf(values.beside);
  const loops = Array.from({ length: Number(values.busy) }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  const show = ({ requestsPerSecond, p50Us, p99Us, failures }: LoadResult): string =>
    `${requestsPerSecond}/s p50 ${p50Us} µs p99 ${p99Us} µs${failures > 0 ? ` ${failures} FAILED` : ''}`;
  const options = { seconds: Number(seconds), rounds: Number(rounds), path };
  for (const figure of await benchServe({ ...options, beside })) {
    const { transport, connections, latchkey, bare, ratio, latchkeyCpuUs, bareCpuUs } = figure;
    process.stdout.write(
      `${transport} ${connections}: latchkey ${show(latchkey)} | ${beside} ${show(bare)} | ratio ${ratio.toFixed(2)}` +
        ` | processor ${latchkeyCpuUs.toFixed(1)} to ${bareCpuUs.toFixed(1)} µs a request\n`,
    );
  }
  const crowd = beside === 'bare' ? await benchCrowd(options) : [];
  for (const { active, idle, result, residentMiB } of crowd) {
    process.stdout.write(
      `${active} active, ${idle} idle: ${show(result)} | resident ${Math.round(residentMiB)} MiB\n`,
    );
  }
  for (const loop of loops) loop.kill();
}
