// A program of a comparison: how it is started and ended, and what it costs by /proc.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The built command, by its shebang line, as users start it. */
export const ourProgram = resolve(import.meta.dirname, '../../../dist/main.js');

/** `folder` is its home. */
export function startPeer(
  program: string,
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): ChildProcess {
  return spawn(program, args, {
    env: { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, HOME: folder, ...env },
    cwd: folder,
    stdio: 'ignore',
  });
}

/** By a signal that each of them ends by. */
export async function endPeer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolveEnd) => child.once('exit', resolveEnd));
  child.kill('SIGINT');
  await ended;
}

/** Of all threads that are there now. */
export function processorMs(pid: number | undefined): number {
  const folder = `/proc/${pid}/task`;
  const ofThread = (thread: string) =>
    Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(folder).reduce((sum, thread) => sum + ofThread(thread), 0) / 1e6;
}

export interface Memory {
  readonly residentMiB: number;
  /** What is not a page of a file. */
  readonly anonymousMiB: number;
}

export function memoryOf(pid: number | undefined): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { residentMiB: mib('Rss'), anonymousMiB: mib('Anonymous') };
}

export function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Undefined: none is named, and that was said. */
export function namedProgram(variable: string): string | undefined {
  const program = process.env[variable];
  if (program === undefined) console.log(`without a peer: ${variable} names no binary`);
  return program;
}
