// Runs the check, notify and settle commands of others: no shell, an end in bounded time, output in the log.

import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { type Logger, silentLogger } from '../../base/logger.ts';
import { createLiveMask } from '../../base/mask/output-mask.ts';
import type { CommandRequest, RunCommand } from '../../base/run-command.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { type Clock, createSystemClock, type Timer } from '../../base/time/clock.ts';
import { mustBeOurs } from '../../config/resolve/must-be-ours.ts';
import { type Child, startChild } from './child.ts';
import { baseEnvironment } from './environment.ts';
import { findProgram } from './launcher.ts';

interface CommandRunnerOptions {
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** The agent's own environment, of which commands get the harmless part. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Names of it that they get beside; `*` is all. */
  readonly passEnv?: readonly string[];
  /** Values that must not be seen in any output, beside the `masks` of a request; see createLiveMask. */
  readonly valuesInUse?: () => readonly SecretValue[];
  readonly faultOf?: FaultOf | undefined;
}

/** From TERM to KILL, when its time is over and when it is aborted. */
const killAfterMs = 2000;
const killAfterAbortMs = 300;
/** How long the output may come in after the end; then a grandchild holds the pipe, and what it says is only logged. */
const drainMs = 250;
const longestLastLine = 500;
const mostComplaints = 256;
const mostLines = 64;
const noValues = (): readonly SecretValue[] => none;
const none: readonly SecretValue[] = [];

/**
 * The runner resolves when the command has ended, whichever way, and rejects with `process_failed` when it could not be
 * started, with `aborted` when `signal` was aborted before. On timeout and abort its whole process group is ended;
 * what a command leaves running when it ends by itself (a daemon) is left alone.
 */
export function createCommandRunner(options: CommandRunnerOptions = {}): RunCommand {
  const { logger = silentLogger, clock = createSystemClock(), env = process.env } = options;
  const { valuesInUse = noValues } = options;
  const environment = baseEnvironment(env, options.passEnv);
  /** By command: what it printed when it failed the last time. Tried again and again it is told once. */
  const complaints = new BoundedMap<string, ReadonlySet<string>>(mostComplaints);
  return async (request) => {
    if (request.signal?.aborted === true)
      throw new LatchkeyError('aborted', 'the command was not started: aborted');
    mustBeOurs(request.command, { env: environment, faultOf: options.faultOf });
    const words = request.command.map((word) => fillIn(word, request.placeholders ?? {}));
    const program = words[0] ?? '';
    const before = complaints.get(words.join('\0'));
    const said = new Set<string>();
    let lastLine = '';
    const course = { timedOut: false, isEnded: false };
    const child = await startChild({
      words: [findProgram(program, environment['PATH'] ?? '', undefined), ...words.slice(1)],
      env: environment,
      mask: createLiveMask(request.masks ?? [], valuesInUse),
      shouldKillRest: () => course.isEnded,
      clock,
      output(line, stream) {
        if (line.trim() === '') return;
        lastLine = readable(line);
        if (said.size < mostLines) said.add(lastLine);
        logger[before?.has(lastLine) === true ? 'debug' : 'info'](
          { event: 'command.said', command: program, stream },
          lastLine,
        );
      },
    });
    await bounded(child, request, clock, course);
    const { code, signal } = await child.exited;
    await outputWithin(drainMs, child, clock);
    if (code === 0) complaints.delete(words.join('\0'));
    else complaints.set(words.join('\0'), said);
    return { code, signal, lastLine: lastLine.slice(0, longestLastLine), timedOut: course.timedOut };
  };
}

interface Course {
  timedOut: boolean;
  /** It was told to end; nothing of its group may stay. */
  isEnded: boolean;
}

/** Resolves at the end of the program, which comes soon after its time is over or `signal` is aborted. */
async function bounded(child: Child, request: CommandRequest, clock: Clock, course: Course): Promise<void> {
  const { timeoutMs, signal } = request;
  let killTimer: Timer | undefined;
  const end = (graceMs: number) => {
    course.isEnded = true;
    child.signalGroup('SIGTERM');
    killTimer?.cancel();
    killTimer = clock.setTimer(graceMs, () => child.signalGroup('SIGKILL'));
  };
  const abort = () => end(killAfterAbortMs);
  const timer = clock.setTimer(timeoutMs, () => {
    course.timedOut = !course.isEnded;
    if (!course.isEnded) end(killAfterMs);
  });
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  await child.exited;
  timer.cancel();
  killTimer?.cancel();
  signal?.removeEventListener('abort', abort);
}

async function outputWithin(ms: number, child: Child, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.setTimer(ms, resolve);
  await Promise.race([child.outputEnded, promise]);
  timer.cancel();
}

function fillIn(word: string, placeholders: Readonly<Record<string, string>>): string {
  return word.replace(/\{([^{}]+)\}/g, (whole, name: string) =>
    Object.hasOwn(placeholders, name) ? (placeholders[name] ?? whole) : whole,
  );
}

/** Without colours and other control characters. */
function readable(line: string): string {
  return line
    .replace(/\u001b\[[0-9;]*[A-Za-z]/g, '')
    .replace(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim();
}
