// When a credential was refused, for whoever starts next on this host: a service manager that starts an agent again and again
// would lock the role with a credential that is shown twice by each. Known again by a slow, salted digest; never on a disk.

import { createHash, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Environment } from '../../../base/surroundings.ts';
import { createMemoryFile, memoryPaths, readMemoryFile } from '../../../base/system/host-memory.ts';

export interface RefusalMemory {
  /** Wall times of its last refusals, by whatever run, oldest first. */
  refusedAt(credential: string): readonly number[];
  /** Of another credential nothing is remembered then. */
  note(credential: string, refusedAt: readonly number[]): void;
  forget(): void;
}

interface Refusals {
  readonly salt: string;
  readonly digest: string;
  readonly refused_at: readonly number[];
}

const mostBytes = 4096;

/** `scope`: where the credential is shown. Where the host has no such place, or it is another's, nothing is remembered. */
export function createRefusalMemory(
  scope: string,
  env: Environment,
  folders?: readonly string[],
): RefusalMemory {
  let known: string[] | undefined;
  const paths = (): string[] => {
    known ??= memoryPaths('.latchkey-refused', scope, env, folders);
    return known;
  };

  function remembered(): Partial<Record<keyof Refusals, unknown>> {
    const found = firstThatWorks(paths(), (path) => readMemoryFile(path, mostBytes));
    try {
      return { ...(found === undefined ? {} : JSON.parse(found.toString('utf8'))) };
    } catch {
      return {}; // cut short by a full file system
    }
  }

  let last: { readonly mark: string; readonly digest: Buffer } | undefined;
  /** Slow, so that one is worked out once. */
  function digestOf(credential: string, salt: string): Buffer {
    const mark = createHash('sha256').update(`${salt}\0${credential}`).digest('base64');
    if (last?.mark !== mark) last = { mark, digest: scryptSync(credential, salt, 32, { N: 4096 }) };
    return last.digest;
  }

  function forget(): void {
    for (const path of paths()) firstThatWorks([path], (own) => rmSync(own, { force: true }));
  }

  return {
    refusedAt(credential) {
      const { salt, digest, refused_at: refusedAt } = remembered();
      if (typeof salt !== 'string' || typeof digest !== 'string' || !Array.isArray(refusedAt)) return [];
      const [known, shown] = [Buffer.from(digest, 'base64'), digestOf(credential, salt)];
      if (known.length !== shown.length || !timingSafeEqual(known, shown)) return [];
      return refusedAt.filter((at) => typeof at === 'number');
    },
    note(credential, refusedAt) {
      const before = remembered().salt;
      forget();
      const salt = typeof before === 'string' ? before : randomBytes(16).toString('base64');
      const digest = digestOf(credential, salt).toString('base64');
      const record: Refusals = { salt, digest, refused_at: refusedAt };
      firstThatWorks(paths(), (path) => {
        createMemoryFile(path, Buffer.from(JSON.stringify(record)));
        return true;
      });
    },
    forget,
  };
}

function firstThatWorks<T>(
  paths: readonly string[],
  attempt: (path: string) => T | undefined,
): T | undefined {
  for (const path of paths) {
    try {
      const result = attempt(path);
      if (result !== undefined) return result;
    } catch {
      // Not ours, or no room: nothing depends on it.
    }
  }
  return undefined;
}
