// Runs one program with a text for its input, in a group of its own, bounded in time and output: nothing of it outlives the call.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { LatchkeyError } from '../../base/errors.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { isExecutable } from '../../base/system/executable.ts';
import { confined, probeSetpriv } from '../../base/system/setpriv.ts';
import type { Clock } from '../../base/time/clock.ts';
import { mustBeOurs } from '../../config/resolve/must-be-ours.ts';

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
  /** Of a program that a file names, so that nobody has looked at it when the config was read. */
  readonly faultOf?: FaultOf | undefined;
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
  const isForAnother = isOther(run);
  const setpriv = isForAnother ? await probeSetpriv() : undefined;
  if (isForAnother && setpriv === undefined) {
    const remedy = 'install util-linux, or remove user and group';
    throw failure(run, 'is for another user, which needs setpriv, and this host lacks it', remedy);
  }
  run.signal.throwIfAborted();
  mustBeOurs(run.command, { ...run, code: 'login_failed', faultOf: run.faultOf });
  const child = started(run, setpriv);
  const { promise, resolve, reject } = Promise.withResolvers<ProgramEnd>();
  const giveUp = (error: LatchkeyError): void => {
    reject(error);
    killGroup(child);
    closePipes(child);
  };
  const { stdout, stderr } = collectOutput(child, run, giveUp);
  const stopTimer = limitTime(child, run, giveUp);
  const abort = () => giveUp(new LatchkeyError('aborted', `the request to ${programOf(run)} was given up`));
  run.signal.addEventListener('abort', abort, { once: true });
  child.once('error', (error: NodeJS.ErrnoException) =>
    reject(failure(run, `cannot be started (${error.code})`, 'check command and user of this upstream')),
  );
  // A program that does not read its input is no fault.
  child.stdin.on('error', () => undefined);
  child.stdin.end(run.input);
  child.once('close', (code) => resolve({ code: code ?? undefined, stdout: stdout(), stderr: stderr() }));
  try {
    return await promise;
  } finally {
    stopTimer();
    run.signal.removeEventListener('abort', abort);
  }
}

function isOther({ uid, gid }: ProgramRun): boolean {
  const [ownUid, ownGid] = [process.geteuid?.(), process.getegid?.()];
  return (uid ?? ownUid) !== ownUid || (gid ?? ownGid) !== ownGid;
}

/** One of another user is that user already when setpriv begins, and so is all that its environment says to that. */
function started(run: ProgramRun, setpriv: string | undefined): ChildProcessWithoutNullStreams {
  // Whether it is there is for spawn to tell, not for setpriv.
  const isWrapped = setpriv !== undefined && isExecutable(programOf(run));
  const words = isWrapped ? [setpriv, ...confined, '--', ...run.command] : run.command;
  const [program = '', ...args] = words;
  return spawn(program, args, {
    cwd: run.workingDir,
    env: { ...run.env },
    // A group of its own: what it has started ends with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(run.uid === undefined ? {} : { uid: run.uid }),
    ...(run.gid === undefined ? {} : { gid: run.gid }),
  });
}

function programOf({ command: [program = ''] }: ProgramRun): string {
  return program;
}

function failure(run: ProgramRun, what: string, remedy: string): LatchkeyError {
  return new LatchkeyError('upstream_unavailable', `${programOf(run)} ${what}`, { remedy });
}

function collectOutput(
  child: ChildProcessWithoutNullStreams,
  run: ProgramRun,
  giveUp: (error: LatchkeyError) => void,
): { stdout: () => Buffer; stderr: () => Buffer } {
  const tooMuch = `answers more than ${run.maxBytes} bytes`;
  return {
    stdout: collect(child.stdout, run.maxBytes, () =>
      giveUp(failure(run, tooMuch, 'raise max_output of this upstream')),
    ),
    stderr: collect(child.stderr, mostErrorBytes, () => undefined),
  };
}

/** Until its end, and a moment more for who has left its group and holds the pipes. */
function limitTime(
  child: ChildProcessWithoutNullStreams,
  run: ProgramRun,
  giveUp: (error: LatchkeyError) => void,
): () => void {
  const late = `gave no answer within ${run.timeoutMs} ms`;
  let timer = run.clock.setTimer(run.timeoutMs, () =>
    giveUp(failure(run, late, 'look why, or raise timeout of this upstream')),
  );
  child.once('exit', () => {
    // What it has started ends with it.
    killGroup(child);
    timer.cancel();
    timer = run.clock.setTimer(pipeGraceMs, () => closePipes(child));
  });
  return () => timer.cancel();
}

function killGroup({ pid }: ChildProcessWithoutNullStreams): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}

function closePipes({ stdout, stderr }: ChildProcessWithoutNullStreams): void {
  stdout.destroy();
  stderr.destroy();
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
