// The agent's own folder on disk: what lies in it is obeyed by the next start, so nobody else may be able to write there,
// and two agents must not take it for their own at a time.
import fs from 'node:fs';
import { join } from 'node:path';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { inodeAt, inodeOf } from '../../base/paths/file-print.ts';
import { type HeldFolder, holdFolder } from '../../base/paths/held-folder.ts';
import { isSharedFolder, PathFault, trusting } from '../../base/paths/path-trust.ts';
import { flock, lastErrnoName, lockExclusive, lockNonBlocking } from '../../base/system/libc.ts';
import type { ListenerConfig, ResolvedConfig } from '../../config/resolved.ts';

export interface StateFolder {
  /** Undefined: there is none that can be used. */
  readonly path: string | undefined;
  readonly lockPath: string | undefined;
  /** Whether what is locked is still what lies there. */
  isInPlace(): boolean;
  release(): void;
}

/** For those who neither keep nor write anything. */
export const noStateFolder: StateFolder = {
  path: undefined,
  lockPath: undefined,
  isInPlace: () => true,
  release() {},
};

/** Another process has it, and with it the files and the leases. */
export class StateInUseError extends LatchkeyError {
  /** Where it can be asked. */
  readonly socket: string | undefined;

  constructor(path: string, holder: string, remedy: string) {
    super('config_invalid', `state_dir: ${path} is in use by another agent, pid ${holder}`, { remedy });
    this.name = 'StateInUseError';
    this.socket = / at (.+)$/.exec(holder)?.[1];
  }
}

interface ClaimOptions {
  readonly config: Pick<ResolvedConfig, 'stateDir' | 'listeners'>;
  readonly logger: Logger;
  /** What one who comes second can do. */
  readonly remedy?: string;
}

const lockName = 'lock';
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants;
const notRecovered =
  'after a crash its leases are left to their end, a commit that had begun is not finished, and notifications that are owed are not sent';

/** Throws `StateInUseError` when another agent has it; where it cannot be used, says so and what that means. */
export async function claimStateFolder(options: ClaimOptions): Promise<StateFolder> {
  const { config, logger } = options;
  const path = config.stateDir;
  let folder: HeldFolder;
  try {
    folder = await holdFolder(path, { trust: trusting(), createMode: 0o700 });
  } catch (error) {
    return unusable(path, error, logger);
  }
  try {
    if (isSharedFolder(folder.stats)) {
      throw new PathFault(`${path} can be written by everybody`, 'name a folder of the agent alone');
    }
    const fd = lock(folder, options);
    // The path without links: it was looked at, and none may come after.
    const lockPath = join(folder.path, lockName);
    return {
      path: folder.path,
      lockPath,
      isInPlace: () => inodeAt(lockPath, 'kept') === inodeOf(fs.fstatSync(fd, { bigint: true })),
      release: () => fs.closeSync(fd),
    };
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    return unusable(path, error, logger);
  } finally {
    folder.release();
  }
}

function unusable(path: string, error: unknown, logger: Logger): StateFolder {
  const remedy = error instanceof PathFault ? `; ${error.remedy}` : '';
  logger.warn(
    { state_dir: path },
    `state_dir is not used: ${describeError(error)}${remedy}; ${notRecovered}`,
  );
  return noStateFolder;
}

/** The lock goes with the process, however it ends. */
function lock(folder: HeldFolder, options: ClaimOptions): number {
  const { config, remedy = 'stop that one, or give each a state_dir of its own' } = options;
  const socket = socketOf(config.listeners);
  const fd = fs.openSync(folder.entry(lockName), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    if (flock(fd, lockExclusive | lockNonBlocking) === 0) {
      fs.ftruncateSync(fd);
      fs.writeSync(fd, `${process.pid}${socket === undefined ? '' : ` at ${socket}`}\n`, 0);
      return fd;
    }
    const code = lastErrnoName();
    if (code !== 'EAGAIN') throw Object.assign(new Error(`it cannot be locked (${code})`), { code });
    const holder = fs.readFileSync(fd, 'latin1').trim().slice(0, 200);
    throw new StateInUseError(config.stateDir, holder, remedy);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** Where the holder can be asked, told to those who come second. */
function socketOf(listeners: readonly ListenerConfig[]): string | undefined {
  const unix = listeners.filter((listener) => listener.kind === 'unix');
  return (unix.find(({ serve }) => serve.includes('secrets')) ?? unix[0])?.path;
}
