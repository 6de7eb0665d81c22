// Runs one program with a text for its input, in a group of its own, bounded in time and output: nothing of it outlives the call.
import { spawn } from 'node:child_process';
import { LatchkeyError } from '../../base/errors.ts';
import type { Clock } from '../../base/time/clock.ts';

export interface ProgramRun {
  readonly command: readonly string[];
  readonly input: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface ProgramEnd {
  /** The exit code; undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

const mostErrorBytes = 64 * 1024;
const pipeGraceMs = 500;

/** Throws `upstream_unavailable` where it cannot be started, is too slow or says too much, and `aborted`. */
export async function runProgram(run: ProgramRun): Promise<ProgramEnd> {
  const [program = '', ...args] = run.command;
  run.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<ProgramEnd>();
  const fail = (what: string, remedy?: string) =>
    reject(
      new LatchkeyError('upstream_unavailable', `${program} ${what}`, remedy === undefined ? {} : { remedy }),
    );
  const child = spawn(program, args, {
    cwd: run.workingDir,
    env: { ...run.env },
    // A group of its own: what it has started ends with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(run.uid === undefined ? {} : { uid: run.uid }),
    ...(run.gid === undefined ? {} : { gid: run.gid }),
  });
  const stdout = collect(child.stdout, run.maxBytes, () => {
    fail(`answers more than ${run.maxBytes} bytes`, 'raise max_output of this upstream');
    end();
  });
  const stderr = collect(child.stderr, mostErrorBytes, () => undefined);
  let timer = run.clock.setTimer(run.timeoutMs, () => {
    fail(`gave no answer within ${run.timeoutMs} ms`, 'look why, or raise timeout of this upstream');
    end();
  });
  const abort = () => {
    reject(new LatchkeyError('aborted', `the request to ${program} was given up`));
    end();
  };
  run.signal.addEventListener('abort', abort, { once: true });

  function end(): void {
    kill();
    closePipes();
  }

  function kill(): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  }

  function closePipes(): void {
    child.stdout.destroy();
    child.stderr.destroy();
  }

  child.once('error', (error: NodeJS.ErrnoException) =>
    fail(`cannot be started (${error.code})`, 'check command and user of this upstream'),
  );
  // A program that does not read its input is no fault.
  child.stdin.on('error', () => undefined);
  child.stdin.end(run.input);
  child.once('exit', () => {
    // What it has started ends with it; who left its group may hold the pipes, and is not waited for long.
    kill();
    timer.cancel();
    timer = run.clock.setTimer(pipeGraceMs, closePipes);
  });
  child.once('close', (code) => resolve({ code: code ?? undefined, stdout: stdout(), stderr: stderr() }));
  try {
    return await promise;
  } finally {
    timer.cancel();
    run.signal.removeEventListener('abort', abort);
  }
}

function collect(stream: NodeJS.ReadableStream, most: number, onTooMuch: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= most) chunks.push(chunk);
    else onTooMuch();
  });
  return () => Buffer.concat(chunks);
}
