// One agent a destination: two that write the same file would undo each other's work for ever. A lock of one byte for each
// destination, in one file of this user's, that goes with the process however it ends.
import { hash } from 'node:crypto';
import fs from 'node:fs';
import { LatchkeyError } from '../../base/errors.ts';
import { holdFolderSync } from '../../base/paths/held-folder.ts';
import { trusting } from '../../base/paths/path-trust.ts';
import { standardStreamOf } from '../../base/paths/special-file.ts';
import { pathIn, splitPath } from '../../base/paths/walk-path.ts';
import { nothingPrepared, type Prepared } from '../../base/prepared.ts';
import { lockRange } from '../../base/system/libc.ts';

export interface DestinationLocks {
  /** Throws `config_invalid` when another agent has one of them; nothing is locked by it then. */
  prepare(destinations: readonly string[]): Prepared;
  close(): void;
}

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants;
const lockName = 'latchkey-destinations.lock';

export function createDestinationLocks(env: NodeJS.ProcessEnv): DestinationLocks {
  const fd = openLockFile(env);
  let held = new Map<string, bigint>();
  return {
    prepare(destinations) {
      if (fd === undefined) return nothingPrepared;
      const folders = new Map<string, string>();
      const files = destinations.filter((path) => standardStreamOf(path) === undefined);
      const wanted = new Map(files.map((path) => [path, offsetOf(path, folders)]));
      const fresh = [...wanted].filter(([path]) => !held.has(path));
      const taken: bigint[] = [];
      const letGo = (offsets: Iterable<bigint>): void => {
        for (const offset of offsets) lockRange(fd, 'unlock', offset);
      };
      for (const [path, offset] of fresh) {
        const holder = lockRange(fd, 'lock', offset);
        if (holder === 0) taken.push(offset);
        else if (holder > 0) {
          letGo(taken);
          throw inUse(path, holder);
        }
      }
      return {
        commit() {
          letGo([...held].filter(([path]) => !wanted.has(path)).map(([, offset]) => offset));
          held = wanted;
        },
        abandon: () => letGo(taken),
      };
    },
    close() {
      if (fd !== undefined) fs.closeSync(fd);
    },
  };
}

/** Undefined where this user has no folder for it: then nobody can tell. */
function openLockFile(env: NodeJS.ProcessEnv): number | undefined {
  // The first is what the unit may write to.
  const folders = process.geteuid?.() === 0 ? ['/run/latchkey', '/run'] : [env['XDG_RUNTIME_DIR'] ?? ''];
  for (const path of folders) {
    try {
      return openIn(path);
    } catch {
      // Not there, read-only as in a container, or not ours alone.
    }
  }
  return undefined;
}

function openIn(path: string): number {
  const folder = holdFolderSync(path, { trust: trusting() });
  try {
    return fs.openSync(folder.entry(lockName), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } finally {
    folder.release();
  }
}

/** By what its folder really is, so that two spellings of one path are one. `folders`: those known. */
function offsetOf(path: string, folders: Map<string, string>): bigint {
  const { folder, name } = splitPath(path);
  const real = folders.get(folder) ?? realPathOf(folder);
  folders.set(folder, real);
  return hash('sha256', pathIn(real, name), 'buffer').readBigUInt64LE() >> 2n;
}

function realPathOf(folder: string): string {
  try {
    return fs.realpathSync.native(folder);
  } catch {
    return folder; // Not there yet.
  }
}

function inUse(path: string, pid: number): LatchkeyError {
  return new LatchkeyError('config_invalid', `files: ${path} is written by another agent, pid ${pid}`, {
    remedy: 'stop that one, or leave the file to it',
  });
}
