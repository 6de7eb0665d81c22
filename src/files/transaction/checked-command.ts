// Runs a check, notify or settle command and turns every way in which it can fail into one clear error.

import { type ErrorCode, LatchkeyError } from '../../base/errors.ts';
import type { CommandRequest, CommandResult, RunCommand } from '../../base/run-command.ts';
import { formatDuration } from '../../base/time/duration.ts';

export interface CheckedCommand extends Required<CommandRequest> {
  /** `files[2].check` */
  readonly place: string;
  /** What a failure is called. */
  readonly code: ErrorCode;
}

/** Throws an error of `code` with the command's last line unless it ends with 0 in time; `aborted` when cut short. */
export async function runChecked(runCommand: RunCommand, request: CheckedCommand): Promise<void> {
  const { place, code, ...rest } = request;
  let result: CommandResult;
  try {
    result = await runCommand(rest);
  } catch (error) {
    request.signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw new LatchkeyError(code, `${place}: cannot run ${program(request)}: ${why}`, { cause: error });
  }
  if (result.code === 0 && !result.timedOut) return;
  if (request.signal.aborted && !result.timedOut) {
    throw new LatchkeyError('aborted', `${place}: ${program(request)} was stopped because the agent stops`);
  }
  const said = result.lastLine === '' ? '' : `: ${readable(result.lastLine, request)}`;
  throw new LatchkeyError(code, `${place}: ${program(request)} ${outcome(result, request.timeoutMs)}${said}`);
}

function outcome(result: CommandResult, timeoutMs: number): string {
  if (result.timedOut) return `did not end within ${formatDuration(timeoutMs)} and was killed`;
  if (result.signal !== null) return `was ended by ${result.signal}`;
  return `failed with exit code ${result.code}`;
}

/** The staged name means nothing to an operator; the file that it is for does. */
function readable(line: string, request: CheckedCommand): string {
  let text = line;
  for (const [name, path] of Object.entries(request.placeholders)) {
    const destination = name.startsWith('staged:') ? name.slice(7) : request.placeholders['destination'];
    if (name.startsWith('staged') && destination !== undefined) text = text.replaceAll(path, destination);
  }
  return text;
}

function program(request: CheckedCommand): string {
  return request.command[0] ?? '';
}
