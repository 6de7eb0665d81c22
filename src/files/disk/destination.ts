// Where the bytes of a file really go: follows a symlinked destination to its target, makes parents on request, refuses
// folders. Looks only; writing is for stage and commit.

import type { Stats } from 'node:fs';
import { lstat, mkdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoOf } from '../../base/errno.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { toFileError } from './file-error.ts';

export interface Destination {
  /** What is written: the destination itself, or what its links lead to. */
  readonly path: string;
  readonly folder: string;
  /** What is there now, links followed; undefined: nothing. */
  readonly existing: Stats | undefined;
}

interface Wish {
  readonly place: string;
  readonly destination: string;
  readonly createParents: boolean;
}

const mostLinks = 40;
const parentMode = 0o755;

/** Throws `file_failed` when the destination cannot hold a file. */
export async function findDestination(wish: Wish): Promise<Destination> {
  const context = { place: `${wish.place}.destination`, path: wish.destination, verb: 'write' };
  try {
    if (wish.createParents) await mkdir(dirname(wish.destination), { recursive: true, mode: parentMode });
    let path = join(await realpath(dirname(wish.destination)), basename(wish.destination));
    for (let links = 0; ; links += 1) {
      const existing = await lstatOrNothing(path);
      if (existing?.isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR' });
      if (!existing?.isSymbolicLink()) return { path, folder: dirname(path), existing };
      if (links === mostLinks) throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
      await refuseForeignLink(wish, path, existing);
      const next = resolve(dirname(path), await readlink(path));
      path = join(await realpath(dirname(next)), basename(next));
    }
  } catch (error) {
    throw toFileError(error, context);
  }
}

/**
 * A link that somebody else made could lead a privileged agent to write anywhere: like the kernel's protected_symlinks,
 * only links of root, of the agent's own user, or of the target's owner are followed.
 */
async function refuseForeignLink(wish: Wish, path: string, link: Stats): Promise<void> {
  const own = process.geteuid?.() ?? 0;
  if (link.uid === 0 || link.uid === own) return;
  const target = await stat(path).catch(() => undefined);
  if (target?.uid === link.uid) return;
  throw new LatchkeyError(
    'file_failed',
    `${wish.place}.destination: ${path} is a link made by uid ${link.uid}, and what it leads to is not theirs`,
    { remedy: 'let root or the agent make the link, or name the target itself' },
  );
}

async function lstatOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
