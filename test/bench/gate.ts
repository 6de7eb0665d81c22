// A count that no load of the machine moves: the instructions that the built agent takes for a fixed piece of work, counted by
// valgrind, compared with those recorded in gate.json. `npm run bench:gate`; `-- --record` takes today's for the next.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countInstructions, type GateWork } from './gate-run.ts';

interface GateRecord {
  /** What else moves the counts: figures are compared on the same alone. */
  readonly machine: string;
  /** Millions of instructions. */
  readonly lines: Readonly<Record<string, number>>;
}

/** What repeats differs by less than 1 %. */
const mostWorse = 0.03;
const tooSlow = 'it took nearly the minute after which the agent collects its garbage once more';
const recordPath = join(import.meta.dirname, 'gate.json');

const works: readonly (GateWork & { readonly name: string; readonly isBesidesStart: boolean })[] = [
  { name: 'start', isBesidesStart: false, what: 'start to 10 files on 10 secrets' },
  {
    name: 'requests',
    isBesidesStart: true,
    what: '3,600 lookups: native, Vault and AWS',
    async run({ ask }) {
      const aws = '/secretsmanager/get?secretId=s3';
      for (let round = 0; round < 1200; round += 1) {
        for (const path of ['/secrets/s1/value', '/v1/secret/data/s2', aws]) await ask('GET', path);
      }
    },
  },
  {
    name: 'polls',
    isBesidesStart: true,
    what: '1,000 polls that find nothing new',
    async run({ ask }) {
      for (let round = 0; round < 100; round += 1) await ask('POST', '/refresh');
    },
  },
  {
    name: 'renders',
    isBesidesStart: true,
    what: '100 rotations, each a template of 200 lines and a file',
    async run({ ask, rotate }) {
      for (let round = 0; round < 100; round += 1) {
        await rotate(round);
        await ask('POST', '/refresh', { names: ['s0'] });
      }
    },
  },
];

/** Undefined: nothing can be counted here, and why was printed. */
function machineOf(): string | undefined {
  const { status, stdout } = spawnSync('valgrind', ['--version'], { encoding: 'utf8' });
  if (status !== 0) {
    console.log('bench:gate is skipped: valgrind, which counts, is not installed');
    return undefined;
  }
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const hasAvx2 = /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  const parts = [`node ${process.versions.node}`, process.arch, stdout.trim()];
  return [...parts, `glibc ${header.glibcVersionRuntime ?? 'none'}`, hasAvx2 ? 'avx2' : 'no avx2'].join(', ');
}

/** Without those that took too long; without any where a start does already. */
async function measure(): Promise<Record<string, number>> {
  const lines: Record<string, number> = {};
  for (const { name, isBesidesStart, ...work } of works) {
    const start = isBesidesStart ? lines['start'] : 0;
    const total = start === undefined ? undefined : await countInstructions(work);
    if (total !== undefined) lines[name] = total / 1e6 - (start ?? 0);
    const shown = total === undefined ? 'too slow' : millions(lines[name] ?? 0);
    console.log(`${name.padEnd(9)} ${shown.padStart(8)}  ${work.what}`);
  }
  return lines;
}

function millions(count: number): string {
  return `${count.toFixed(1)} M`;
}

/** Lines by which `now` differs from `before` by more than `mostWorse`, each with what it was and is. */
function changedLines(
  before: GateRecord['lines'],
  now: GateRecord['lines'],
): Record<'worse' | 'better', string[]> {
  const changed = { worse: [] as string[], better: [] as string[] };
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[name] ?? 0, now[name]];
    if (is === undefined) continue;
    const change = is / was - 1;
    const text = `${name}: ${millions(was)} recorded, ${millions(is)} now (${(change * 100).toFixed(1)} %)`;
    if (change > mostWorse) changed.worse.push(text);
    if (change < -mostWorse) changed.better.push(text);
  }
  return changed;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { record: { type: 'boolean', default: false } } });
  const machine = machineOf();
  if (machine === undefined) return 0;
  const recorded = JSON.parse(readFileSync(recordPath, 'utf8')) as GateRecord;
  if (!values.record && recorded.machine !== machine) {
    console.log(`bench:gate is skipped: recorded with ${recorded.machine}; this is ${machine}`);
    return 0;
  }
  const lines = await measure();
  if (values.record) {
    if (!isWhole(lines)) throw new Error('too slow to be recorded: leave the machine to it, and try again');
    writeFileSync(recordPath, `${JSON.stringify({ machine, lines }, undefined, 2)}\n`);
    return 0;
  }
  if (changedLines(recorded.lines, lines).worse.length > 0 || !isWhole(lines)) await measureAgain(lines);
  return verdict(recorded.lines, lines);
}

function isWhole(lines: GateRecord['lines']): boolean {
  return works.every(({ name }) => name in lines);
}

/** What is less counts. */
async function measureAgain(lines: Record<string, number>): Promise<void> {
  console.log('once more, as a busy machine adds to it:');
  for (const [name, count] of Object.entries(await measure()))
    lines[name] = Math.min(count, lines[name] ?? count);
}

/** The exit code; says why. */
function verdict(before: GateRecord['lines'], now: GateRecord['lines']): number {
  const { worse, better } = changedLines(before, now);
  for (const { name } of works) if (!(name in now)) console.log(`${name} is skipped: ${tooSlow}`);
  if (better.length > 0)
    console.log(`better; npm run bench:gate -- --record keeps it so:\n${better.join('\n')}`);
  if (worse.length === 0) return 0;
  console.log(`worse by more than ${mostWorse * 100} %:\n${worse.join('\n')}`);
  console.log('if it is meant, say why in the commit, and record it: npm run bench:gate -- --record');
  return 1;
}

if (import.meta.main) process.exitCode = await main();
