// The folders that templates may read and write by `file` and `writeToFile`: nothing outside of them, by no link either.

import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { LatchkeyError } from '../base/errors.ts';
import { readEntrySync } from '../base/paths/controlled-file.ts';
import { type HeldEntry, holdEntrySync } from '../base/paths/held-folder.ts';
import { PathFault, readingOnly } from '../base/paths/path-trust.ts';
import { errnoOf } from '../base/system/errno.ts';

export interface Sandbox {
  /** The bytes of a file; throws an error that may be shown. */
  read(path: string): Buffer;
  /** The real path to write to, without links; throws an error that may be shown. */
  allowWrite(path: string): string;
}

const largestFileBytes = 16 * 1024 * 1024;

/** With no folder both functions are refused. Relative paths start at `base`. */
export function createSandbox(folders: readonly string[], base = process.cwd()): Sandbox {
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
      within(resolve(base, path), (entry) => readEntrySync(entry, path, largestFileBytes).bytes),
    allowWrite(path) {
      const { there, missing } = splitAtMissing(resolve(base, path));
      return within(there, (_, real) => (missing.length === 0 ? real : inside(join(real, ...missing))));
    },
  };
}

/** Folders that are missing are made when the file is written: here the rest of the path is judged without them. */
function splitAtMissing(path: string): { there: string; missing: string[] } {
  const missing: string[] = [];
  let there = path;
  while (dirname(there) !== there && !existsSync(dirname(there))) {
    missing.unshift(basename(there));
    there = dirname(there);
  }
  return { there, missing };
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
