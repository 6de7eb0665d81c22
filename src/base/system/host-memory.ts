// Small files that only the memory of this host holds: in a file system without a disk, so they outlive the agent and not the
// host, and are on no disk and in no backup. They are ours alone: what anybody else has made, can write or can read is none.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../surroundings.ts';
import { errnoOf } from './errno.ts';

/** Of statfs(2): tmpfs and ramfs. */
const memoryFileSystems: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Where the file of `scope` may be, in the order in which they are tried: /run for root, `$XDG_RUNTIME_DIR`, /dev/shm. */
export function memoryPaths(
  prefix: string,
  scope: string,
  env: Environment,
  folders: readonly string[] = [
    ...(process.getuid?.() === 0 ? ['/run'] : []),
    ...(env['XDG_RUNTIME_DIR'] ? [env['XDG_RUNTIME_DIR']] : []),
    '/dev/shm',
  ],
): string[] {
  const id = createHash('sha256').update(scope).digest('hex').slice(0, 16);
  const name = `${prefix}-${process.getuid?.() ?? 0}-${id}`;
  return folders.filter(isInMemory).map((folder) => join(folder, name));
}

function isInMemory(folder: string): boolean {
  try {
    return memoryFileSystems.has(statfsSync(folder).type);
  } catch {
    // Not there on this host.
    return false;
  }
}

/** Undefined when there is none. Throws for a file that anybody else has made, can write or can read, or a longer one. */
export function readMemoryFile(path: string, mostBytes: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const found = fstatSync(file);
    const isOwn = found.uid === (process.getuid?.() ?? 0) && (found.mode & 0o777) === 0o600;
    if (!found.isFile() || !isOwn || found.nlink !== 1 || found.size > mostBytes)
      throw new Error('not a file of ours');
    const bytes = Buffer.alloc(found.size);
    if (readSync(file, bytes, 0, found.size, 0) !== found.size) throw new Error('cut short');
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Throws where there is one already. */
export function createMemoryFile(path: string, bytes: Buffer): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeSync(file, bytes);
  } finally {
    closeSync(file);
  }
}
