// What is at a path, for those who only want to know. A path that cannot be looked at is an answer here, and not an error that
// ends whatever else is looked at: links that lead in a circle, or one of another user in a sticky folder, which the kernel
// does not let even root follow (fs.protected_symlinks, proc_sys_fs(5)).
import { type BigIntStats, lstatSync, type Stats, statSync } from 'node:fs';
import { errnoOf } from '../system/errno.ts';

/** The file that the readers of a path get, or the link itself that may be there. */
export type Links = 'followed' | 'kept';

/** Why something cannot be looked at, said of its path; and what to do about it. */
export interface LookFault {
  /** As the kernel names it. */
  readonly code: string;
  readonly what: string;
  readonly remedy: string;
}

/** Neither: nothing is there. */
export interface Look<T> {
  readonly stats: T | undefined;
  readonly fault: LookFault | undefined;
}

const remedies: Readonly<Record<string, string>> = {
  EACCES: 'check who may enter the folders on the way, and who made the links',
  ELOOP: 'its links lead in a circle, remove one',
  ENAMETOOLONG: 'shorten the name',
};

export function lookAt(path: string, links: Links = 'followed'): Look<Stats> {
  return told(() => (links === 'followed' ? statSync : lstatSync)(path, { throwIfNoEntry: false }));
}

/** With times to the nanosecond, and the number of an inode as it is. */
export function lookExactly(path: string, links: Links = 'followed'): Look<BigIntStats> {
  const options = { throwIfNoEntry: false, bigint: true } as const;
  return told(() => (links === 'followed' ? statSync : lstatSync)(path, options));
}

export function isFolder(path: string): boolean {
  return lookAt(path).stats?.isDirectory() === true;
}

export function isFile(path: string): boolean {
  return lookAt(path).stats?.isFile() === true;
}

function told<T>(look: () => T | undefined): Look<T> {
  try {
    return { stats: look(), fault: undefined };
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    // What stands on the way is no folder: nothing is there.
    if (code === 'ENOTDIR') return { stats: undefined, fault: undefined };
    const remedy = remedies[code] ?? 'check the disk';
    return { stats: undefined, fault: { code, what: `cannot be looked at (${code})`, remedy } };
  }
}
