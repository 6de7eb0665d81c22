// What the kernel's refusals mean to an operator: one clear sentence with the place, and what to do about it.

import { LatchkeyError } from '../../base/errors.ts';
import { PathFault } from '../../base/paths/path-trust.ts';
import { errnoOf } from '../../base/system/errno.ts';

interface FileErrorContext {
  /** `files[2].destination` */
  readonly place: string;
  readonly path: string;
  /** `write`, `replace`, … */
  readonly verb: string;
}

const meanings: Readonly<Record<string, readonly [string, string]>> = {
  ENOSPC: ['no space left on the file system', 'free some space, or inodes (`df -i`); it is tried again'],
  EDQUOT: ['the disk quota is used up', 'free some space; it is tried again'],
  EROFS: [
    'the file system is read-only',
    'mount it writable (in a unit of systemd: `ReadWritePaths=` for its folder), or choose another destination',
  ],
  EACCES: ['permission denied', 'let the agent write to the folder, or choose another destination'],
  EPERM: ['not permitted', 'run the agent as root, or with an owner, group and folder that it may use'],
  ENOENT: ['no such folder', 'create it, or say `create_parents: true`'],
  ENOTDIR: ['a part of the path is not a folder', 'correct the path'],
  EISDIR: ['it is a folder', 'remove the folder, or name a file in it'],
  EBUSY: [
    'it is a mount point, which cannot be renamed over',
    'say `in_place: true`, or mount its folder instead',
  ],
  EXDEV: ['it is on another file system', 'say `in_place: true`, or mount its folder instead'],
  ELOOP: ['its symbolic links go in a circle', 'correct the links'],
  ENAMETOOLONG: ['the name is too long', 'choose a shorter one'],
  EMFILE: ['too many open files', 'raise the limit of open files; it is tried again'],
  ENFILE: ['too many open files', 'raise the limit of open files; it is tried again'],
  EIO: ['input/output error', 'look at the disk; it is tried again'],
  ENXIO: ['no such device', 'look at the mount; it is tried again'],
};

/** What root may not do is forbidden by the file itself. */
const forRoot: readonly [string, string] = [
  'not permitted, though this is root',
  'look whether it or its folder is immutable or append-only (lsattr), and take that away by chattr',
];

function meaningOf(code: string): readonly [string, string] | undefined {
  return code === 'EPERM' && process.geteuid?.() === 0 ? forRoot : meanings[code];
}

/** A `file_failed` for anything that a file system call threw; errors of our own pass through. */
export function toFileError(error: unknown, context: FileErrorContext): LatchkeyError {
  if (error instanceof LatchkeyError) return error;
  if (error instanceof PathFault) {
    return new LatchkeyError(
      'file_failed',
      `${context.place}: cannot ${context.verb} ${context.path}: ${error.message}`,
      { cause: error, remedy: error.remedy },
    );
  }
  const code = errnoOf(error);
  const meaning = code === undefined ? undefined : meaningOf(code);
  const what = meaning?.[0] ?? (error instanceof Error ? error.message : String(error));
  return new LatchkeyError(
    'file_failed',
    `${context.place}: cannot ${context.verb} ${context.path}: ${what}${code === undefined ? '' : ` (${code})`}`,
    { cause: error, remedy: meaning?.[1] },
  );
}
