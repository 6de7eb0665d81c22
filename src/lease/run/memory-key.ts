// A key that only the memory of this host holds (base/system/host-memory.ts). What is sealed with it cannot be read from a
// disk, a backup or another host.

import { randomBytes } from 'node:crypto';
import type { Logger } from '../../base/logger.ts';
import type { Environment } from '../../base/surroundings.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { createMemoryFile, memoryPaths, readMemoryFile } from '../../base/system/host-memory.ts';

interface MemoryKeyOptions {
  /** What it seals: each has a key of its own. */
  readonly statePath: string;
  /** Tried in order; those that are on a disk are left out. Default: those of base. */
  readonly folders?: readonly string[];
  readonly env: Environment;
  readonly logger: Logger;
}

const keyBytes = 32;

/** Undefined where this host has no such place, or somebody else's file is in it. */
export function loadMemoryKey({ statePath, folders, env, logger }: MemoryKeyOptions): Buffer | undefined {
  for (const path of memoryPaths('.latchkey', statePath, env, folders)) {
    try {
      return readKey(path) ?? createKey(path);
    } catch (error) {
      logger.debug({ path, code: errnoOf(error) ?? 'unknown' }, 'no key can be kept here');
    }
  }
  logger.debug({}, 'no place in memory for a key: credentials are made again at the next start');
  return undefined;
}

function readKey(path: string): Buffer | undefined {
  const key = readMemoryFile(path, keyBytes);
  if (key !== undefined && key.length !== keyBytes) throw new Error('not a key of ours');
  return key;
}

function createKey(path: string): Buffer {
  const key = randomBytes(keyBytes);
  createMemoryFile(path, key);
  return key;
}
