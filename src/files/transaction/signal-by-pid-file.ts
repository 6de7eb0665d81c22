// Signals the process that a pid file names. A privileged agent must not signal for those who write the file whom they could
// not signal themselves: so the file is root's or the agent's own, or the process belongs to the file's owner.
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { LatchkeyError } from '../../base/errors.ts';
import { type ControlledFile, readControlledFile } from '../../base/paths/controlled-file.ts';
import { isMaster, PathFault, pathErrorText, readingOwn } from '../../base/paths/path-trust.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { lastErrnoName, pidfdOpen, pidfdSendSignal } from '../../base/system/libc.ts';

interface Wish {
  readonly pidFile: string;
  readonly signal: NodeJS.Signals;
  /** `files[2].notify[0]` */
  readonly place: string;
}

/** The program does not run, or not yet: it reads the file when it starts. */
export class NotRunningError extends LatchkeyError {
  constructor(place: string, what: string, cause?: unknown) {
    super('notify_failed', `${place}: ${what}`, {
      cause,
      remedy: 'start the program, or name the pid file that it writes',
    });
    this.name = 'NotRunningError';
  }
}

const longestPidFile = 4096;

/** Reads the file again each time, so that a program that was restarted meanwhile gets the signal. Throws `notify_failed`. */
export async function signalByPidFile(wish: Wish): Promise<void> {
  const { pid, owner, isBelieved } = await readPid(wish);
  const pidfd = pidfdOpen(pid);
  if (pidfd < 0) throw signalError(wish, pid, lastErrnoName());
  try {
    // Looked at while it is held: its number cannot be another's by then.
    if (!isBelieved) refuseForeign(wish, pid, owner);
    if (pidfdSendSignal(pidfd, constants.signals[wish.signal]) !== 0)
      throw signalError(wish, pid, lastErrnoName());
  } finally {
    closeSync(pidfd);
  }
}

function refuseForeign(wish: Wish, pid: number, owner: number): void {
  const uids = uidsOf(pid);
  if (uids === undefined) throw signalError(wish, pid, 'ESRCH');
  const isLed = isMaster(owner);
  if (!isLed && uids.every((uid) => uid === owner)) return;
  throw failed(
    wish,
    isLed
      ? `${wish.pidFile} has a second name, or others lead there, and is believed of nobody's process`
      : `${wish.pidFile} belongs to uid ${owner}, and process ${pid} is not theirs`,
    'let root or the agent write the pid file, in a place that no link of others leads to, or let the program run as its owner',
  );
}

/** Real, effective, saved and file system's; undefined when the process has ended. */
function uidsOf(pid: number): number[] | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return /^Uid:\s+(.+)$/m.exec(status)?.[1]?.split(/\s+/).map(Number);
  } catch {
    return undefined;
  }
}

interface NamedPid {
  readonly pid: number;
  /** Of the file. */
  readonly owner: number;
  /** Whether root or the agent says so. */
  readonly isBelieved: boolean;
}

async function readPid(wish: Wish): Promise<NamedPid> {
  const { pidFile } = wish;
  let file: ControlledFile & { readonly isLed: boolean };
  try {
    file = await readPidFile(pidFile);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      throw new NotRunningError(wish.place, `cannot read ${pidFile} (${pathErrorText(error)})`, error);
    }
    const remedy =
      error instanceof PathFault ? error.remedy : 'start the program, or name the pid file that it writes';
    throw failed(wish, `cannot read ${pidFile} (${pathErrorText(error)})`, remedy, error);
  }
  const { bytes, stats, isLed } = file;
  const text = bytes.toString('latin1');
  if ((stats.mode & 0o022) !== 0) {
    throw failed(wish, `${pidFile} can be written by others than its owner`, `chmod go-w ${pidFile}`);
  }
  const pid = Number(/^\s*(\d{1,10})\s*(?:\n|$)/.exec(text)?.[1] ?? 0);
  // 0 and negative numbers would reach whole process groups, our own number ourselves.
  if (pid === 0 || pid === process.pid) {
    throw failed(
      wish,
      `${pidFile} holds no process id of another program`,
      'name the pid file that the program writes',
    );
  }
  // What somebody else leads to, or gave a second name, was not written for this.
  return { pid, owner: stats.uid, isBelieved: isMaster(stats.uid) && !isLed && stats.nlink === 1 };
}

async function readPidFile(pidFile: string): Promise<ControlledFile & { readonly isLed: boolean }> {
  const maxBytes = longestPidFile;
  try {
    return { ...(await readControlledFile(pidFile, { maxBytes, trust: readingOwn })), isLed: false };
  } catch (error) {
    if (!(error instanceof PathFault)) throw error;
    return { ...(await readControlledFile(pidFile, { maxBytes })), isLed: true };
  }
}

function signalError(wish: Wish, pid: number, code: string): LatchkeyError {
  // What is no number of a process at all is as good as one that has ended.
  if (code === 'ESRCH' || code === 'EINVAL') {
    return new NotRunningError(wish.place, `${wish.pidFile} is stale: no process ${pid} runs`);
  }
  return failed(
    wish,
    `cannot send ${wish.signal} to process ${pid} (${code})`,
    'run the agent as root or as the user of that process',
  );
}

function failed({ place }: Wish, what: string, remedy: string, cause?: unknown): LatchkeyError {
  return new LatchkeyError('notify_failed', `${place}: ${what}`, { cause, remedy });
}
