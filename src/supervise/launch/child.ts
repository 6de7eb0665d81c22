// One running program: its process group, its output, its end. When and why it runs is for others to decide.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { LatchkeyError } from '../../base/errors.ts';
import type { OutputMask } from '../../base/mask/output-mask.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { processStartTime } from '../../base/system/process-identity.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { ProcessExit } from '../restart-policy.ts';
import type { Environment } from './environment.ts';
import { findBackground } from './find-background.ts';
import type { Handover } from './handover.ts';
import { createLineReader } from './line-reader.ts';
import { sizeFault } from './size-fault.ts';

type OutputStream = 'stdout' | 'stderr';

export interface ChildOptions {
  /** The program (a path or a name in PATH of `env`) and its arguments. */
  readonly words: readonly string[];
  readonly env: Environment;
  /** What is passed on over a pipe, to a step that becomes the program. */
  readonly handover?: Handover | undefined;
  readonly workingDir?: string | undefined;
  /** `inherit`: the agent's own; else each line, masked. */
  readonly output: 'inherit' | ((line: string, stream: OutputStream) => void);
  /** What must not be seen of the output now. */
  readonly mask: () => OutputMask;
  readonly stdin?: 'ignore' | 'inherit';
  /** In a session and process group of its own (the default); without, it shares the terminal with the agent. */
  readonly isLeader?: boolean;
  /** Its own, with which of its standard streams it has there; its first step makes the session. */
  readonly terminal?: { readonly descriptor: number };
  readonly isTty?: readonly boolean[];
  /** Asked at the end of the program: whether what is left of its process group is killed (the default). */
  readonly shouldKillRest?: () => boolean;
  /** Whether an end with code 0 is looked into: the program may have gone into the background (default false). */
  readonly looksForBackground?: boolean;
  readonly clock: Clock;
}

export interface Child {
  readonly pid: number;
  readonly startedAt: number;
  /** Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** All pipes are closed; a grandchild may keep them open long after the exit. */
  readonly outputEnded: Promise<void>;
  readonly hasExited: boolean;
  /** To the program alone; false when it has ended. */
  signal(signal: NodeJS.Signals): boolean;
  /** To the whole process group. */
  signalGroup(signal: NodeJS.Signals): boolean;
  /**
   * Asks the program with `signal`, or its whole group, and kills the group after `timeoutMs` or when `abort` is aborted.
   * A group that was asked has the time until all of it have ended.
   */
  stop(options: StopOptions): Promise<ProcessExit>;
}

interface StopOptions {
  readonly signal: NodeJS.Signals;
  readonly timeoutMs: number;
  readonly isGroup?: boolean;
  readonly abort?: AbortSignal;
}

/** How often it is looked whether anybody of a group that is ending is left. */
const groupLookMs = 20;

/** By pid: what to kill when the agent exits without having stopped them (a second signal, a defect). */
const ownPids = new Map<number, number>();

process.on('exit', () => {
  for (const target of ownPids.values()) send(target, 'SIGKILL');
});

/** Whether this pid is a child that is waited for here; the reaper leaves it alone. */
export function isOwnChild(pid: number): boolean {
  return ownPids.has(pid);
}

/** Resolves when the program has been started; rejects with `process_failed` when it could not be. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const isLeader = options.isLeader ?? true;
  const child = await spawned(options, isLeader);
  const pid = child.pid ?? 0;
  ownPids.set(pid, isLeader ? -pid : pid);
  const { clock } = options;
  let exit: ProcessExit | undefined;
  let isGroupEnding = false;
  const startTime = options.looksForBackground === true ? processStartTime(pid) : undefined;
  // With a terminal of its own the group is there a moment later than the process.
  const killGroup = (signal: NodeJS.Signals) =>
    send(isLeader ? -pid : pid, signal) || (options.terminal !== undefined && send(pid, signal));
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      if (code === 0 && startTime !== undefined) {
        const background = findBackground(startTime, isOwnChild);
        if (background !== undefined) exit = { ...exit, background };
      }
      ownPids.delete(pid);
      // At once: as long as the group has members its number cannot be given to another one.
      if (isLeader && !isGroupEnding && options.shouldKillRest?.() !== false) killGroup('SIGKILL');
      resolve(exit);
    });
  });
  return {
    pid,
    startedAt: clock.now(),
    exited,
    outputEnded: readOutput(child, options),
    get hasExited() {
      return exit !== undefined;
    },
    signal: (signal) => exit === undefined && send(pid, signal),
    signalGroup: (signal) => exit === undefined && killGroup(signal),
    async stop({ signal, timeoutMs, isGroup = false, abort }) {
      if (exit !== undefined) return exit;
      isGroupEnding = isGroup && isLeader;
      let isKilled = false;
      const kill = () => {
        isKilled = true;
        if (exit === undefined || isGroupEnding) killGroup('SIGKILL');
      };
      const timer = clock.setTimer(timeoutMs, kill);
      abort?.addEventListener('abort', kill, { once: true });
      send(isGroupEnding ? -pid : pid, signal);
      if (abort?.aborted === true) kill();
      try {
        const ended = await exited;
        while (isGroupEnding && !isKilled && hasMembers(pid)) await clock.sleep(groupLookMs);
        return ended;
      } finally {
        timer.cancel();
        abort?.removeEventListener('abort', kill);
      }
    },
  };
}

function hasMembers(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch (error) {
    return errnoOf(error) === 'EPERM'; // others than we may signal are left; ESRCH: nobody is
  }
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // ESRCH: nobody is left; EPERM: a program that has become somebody else
  }
}

function spawned(options: ChildOptions, isLeader: boolean): Promise<ChildProcess> {
  const [program = '', ...args] = options.words;
  const pipe = options.output === 'inherit' ? 'inherit' : 'pipe';
  const onTerminal = (index: number) =>
    options.isTty?.[index] === true ? options.terminal?.descriptor : undefined;
  const runtime = options.handover?.openRuntime();
  const settings: SpawnOptions = {
    env: options.env,
    detached: isLeader && options.terminal === undefined,
    stdio: [
      onTerminal(0) ?? options.stdin ?? 'ignore',
      onTerminal(1) ?? pipe,
      onTerminal(2) ?? pipe,
      ...(runtime === undefined ? [] : ['pipe' as const, runtime.descriptor]),
    ],
    ...(options.workingDir === undefined ? {} : { cwd: options.workingDir }),
  };
  return new Promise<ChildProcess>((resolve, reject) => {
    let child: ChildProcess;
    try {
      child = spawn(program, args, settings);
    } catch (error) {
      reject(cannotStart(options, error)); // arguments that spawn refuses: its message would quote them
      return;
    }
    child.once('spawn', () => resolve(child));
    child.once('error', (error) => reject(cannotStart(options, error)));
    if (options.handover !== undefined) passOn(child, options.handover.text);
  }).finally(() => runtime?.close());
}

function passOn(child: ChildProcess, text: string): void {
  const pipe = child.stdio[3] as Writable | null | undefined;
  pipe?.on('error', () => undefined); // it ended before: its exit tells
  pipe?.end(text);
}

/** Of spawn's errors only the code is told: message and fields hold arguments and may hold the environment. */
function cannotStart({ words, env, workingDir }: ChildOptions, error: unknown): LatchkeyError {
  const code = errnoOf(error) ?? 'unknown error';
  if (code === 'ENOENT' && workingDir !== undefined && !existsSync(workingDir)) {
    return new LatchkeyError('process_failed', `the working folder ${workingDir} does not exist`, {
      remedy: 'make it, or correct the path',
    });
  }
  const remedies: Readonly<Record<string, string>> = {
    ENOENT: 'look whether the program and its working folder exist',
    EACCES: 'look at the modes of the program and of the folders above it',
    E2BIG: `${sizeFault(words, env) ?? 'the environment and the arguments are too long for the kernel'}; hand large values over in files`,
  };
  return new LatchkeyError('process_failed', `cannot start ${programAmong(words)} (${code})`, {
    remedy: remedies[code],
  });
}

/** Behind what prepares its start, which nobody has written down. */
function programAmong(words: readonly string[]): string | undefined {
  const isPrepared = words[0]?.endsWith('/setpriv') === true;
  return words[isPrepared ? words.indexOf('--') + 1 : 0];
}

async function readOutput(child: ChildProcess, { output, mask, clock }: ChildOptions): Promise<void> {
  if (output === 'inherit') return;
  const ends = (['stdout', 'stderr'] as const).map((name) => {
    const stream = child[name];
    if (stream === null) return undefined;
    const reader = createLineReader(mask, (line) => output(line, name), clock);
    stream.on('data', (chunk: Buffer) => reader.push(chunk));
    stream.on('error', () => undefined); // a pipe that breaks is closed, and `close` comes after
    // A grandchild that has left the group may hold the pipe for ever; it must not hold the agent.
    child.once('exit', () => (stream as unknown as { unref?(): void }).unref?.());
    return new Promise<void>((resolve) => {
      stream.once('close', () => {
        reader.end();
        resolve();
      });
    });
  });
  await Promise.all(ends);
}
