// The folders that templates may read and write by `file` and `writeToFile`: nothing outside of them, by no link either.

import { closeSync, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { errnoOf } from '../base/errno.ts';
import { LatchkeyError } from '../base/errors.ts';
import { contentFault, readFlags } from '../base/paths/controlled-file.ts';
import { type HeldEntry, holdEntrySync } from '../base/paths/held-folder.ts';
import { PathFault, readingOnly } from '../base/paths/path-trust.ts';

export interface Sandbox {
  /** The bytes of a file; throws an error that may be shown. */
  read(path: string): Buffer;
  /** The real path to write to, without links; throws an error that may be shown. */
  allowWrite(path: string): string;
}

const largestFileBytes = 16 * 1024 * 1024;

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

  /** Looks at the whole path, links followed, and does its work while the folder is held. */
  function within<T>(path: string, work: (entry: HeldEntry, real: string) => T): T {
    return onDisk(path, () => {
      const entry = holdEntrySync(path, { trust: readingOnly });
      try {
        return work(entry, inside(join(entry.folder.path, entry.name)));
      } finally {
        entry.folder.release();
      }
    });
  }

  return {
    read: (path) =>
      within(path, ({ folder, name }) => {
        const fd = openSync(folder.entry(name), readFlags);
        try {
          const wrong = contentFault(path, fstatSync(fd), largestFileBytes);
          if (wrong !== undefined) throw wrong;
          return readFileSync(fd);
        } finally {
          closeSync(fd);
        }
      }),
    allowWrite: (path) => within(path, (_, real) => real),
  };
}

function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    if (error instanceof PathFault)
      throw new LatchkeyError('template_failed', error.message, { cause: error, remedy: error.remedy });
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
