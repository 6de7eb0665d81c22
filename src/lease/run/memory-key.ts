// A key that only the memory of this host holds: in a file system without a disk, so it outlives the agent and not the
// host. What is sealed with it cannot be read from a disk, a backup or another host.
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../base/logger.ts';
import { errnoOf } from '../../base/system/errno.ts';

interface MemoryKeyOptions {
  /** What it seals: each has a key of its own. */
  readonly statePath: string;
  /** Tried in order; those that are on a disk are left out. Default: /run for root, `$XDG_RUNTIME_DIR`, /dev/shm. */
  readonly folders?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}

const keyBytes = 32;
/** Of statfs(2): tmpfs and ramfs. */
const memoryFileSystems: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Undefined where this host has no such place, or somebody else's file is in it. */
export function loadMemoryKey(options: MemoryKeyOptions): Buffer | undefined {
  const { statePath, env, logger } = options;
  const uid = process.getuid?.() ?? 0;
  const folders = options.folders ?? [
    ...(uid === 0 ? ['/run'] : []),
    ...(env['XDG_RUNTIME_DIR'] ? [env['XDG_RUNTIME_DIR']] : []),
    '/dev/shm',
  ];
  const id = createHash('sha256').update(statePath).digest('hex').slice(0, 16);
  for (const folder of folders.filter(isInMemory)) {
    const path = join(folder, `.latchkey-${uid}-${id}`);
    try {
      return readKey(path, uid) ?? createKey(path);
    } catch (error) {
      logger.debug({ path, code: errnoOf(error) ?? 'unknown' }, 'no key can be kept here');
    }
  }
  logger.debug({}, 'no place in memory for a key: credentials are made again at the next start');
  return undefined;
}

function isInMemory(folder: string): boolean {
  try {
    return memoryFileSystems.has(statfsSync(folder).type);
  } catch {
    // Not there on this host.
    return false;
  }
}

/** Undefined when there is none. Throws for a file that anybody else has made, can write or can read. */
function readKey(path: string, uid: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const found = fstatSync(file);
    const isOurs = found.isFile() && found.uid === uid && (found.mode & 0o777) === 0o600 && found.nlink === 1;
    if (!isOurs || found.size !== keyBytes) throw new Error('not a key of ours');
    const key = Buffer.alloc(keyBytes);
    if (readSync(file, key, 0, keyBytes, 0) !== keyBytes) throw new Error('cut short');
    return key;
  } finally {
    closeSync(file);
  }
}

function createKey(path: string): Buffer {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const key = randomBytes(keyBytes);
    writeSync(file, key);
    return key;
  } finally {
    closeSync(file);
  }
}
