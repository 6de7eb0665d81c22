// The folders that templates may read and write by `file` and `writeToFile`: nothing outside of them, by no link either.

import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { errnoOf } from '../base/errno.ts';
import { LatchkeyError } from '../base/errors.ts';

export interface Sandbox {
  /** The bytes of a file; throws an error that may be shown. */
  read(path: string): Buffer;
  /** The real path to write to; throws an error that may be shown. */
  allowWrite(path: string): string;
}

const largestFileBytes = 16 * 1024 * 1024;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** With no folder both functions are refused. */
export function createSandbox(folders: readonly string[]): Sandbox {
  function inside(path: string): string {
    if (folders.length === 0) {
      throw new LatchkeyError('template_failed', 'no folder is open to templates', {
        remedy: 'name it in `template.sandbox_paths`',
      });
    }
    const roots = folders.map(realOrSame);
    if (roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)))
      return path;
    throw new LatchkeyError(
      'template_failed',
      `${path} is in none of the folders that are open to templates`,
      {
        remedy: 'name its folder in `template.sandbox_paths`',
      },
    );
  }

  return {
    read(path) {
      const fd = onDisk(path, () => openSync(inside(realpathSync(path)), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
      try {
        const stats = fstatSync(fd);
        if (!stats.isFile()) throw new LatchkeyError('template_failed', `${path} is no regular file`);
        if (stats.size > largestFileBytes) {
          throw new LatchkeyError('template_failed', `${path} has more than ${largestFileBytes} bytes`);
        }
        return readFileSync(fd);
      } finally {
        closeSync(fd);
      }
    },
    allowWrite: (path) => onDisk(path, () => inside(join(realpathSync(dirname(path)), basename(path)))),
  };
}

function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    throw new LatchkeyError('template_failed', `cannot open ${path} (${errnoOf(error) ?? 'unknown'})`, {
      cause: error,
    });
  }
}

function realOrSame(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // A folder that is not there yet holds nothing.
    return path;
  }
}
