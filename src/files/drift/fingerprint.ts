// What tells that a file is still the one that was put there, without reading it. Only a difference leads to more: what is
// done then goes by held folders again, so a path is enough here.
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { errnoOf } from '../../base/system/errno.ts';

/** `deleted`: nothing is there; `content`: another file, or other bytes. */
export type DriftKind = 'deleted' | 'content' | 'mode' | 'owner';

export type Fingerprint = Pick<
  BigIntStats,
  'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs' | 'mode' | 'uid' | 'gid'
>;

/** What a rename leaves as it is. */
export type FileIdentity = Omit<Fingerprint, 'ctimeNs'>;

/**
 * Of a file that was just put in place. Undefined where it is another one already: somebody was faster than this look, and
 * the next one finds the difference.
 */
export async function fingerprintAt(
  path: string,
  expected: FileIdentity | undefined,
): Promise<Fingerprint | undefined> {
  const print = await fingerprintOf(path);
  if (print === undefined || expected === undefined) return print;
  return differenceOf({ ...expected, ctimeNs: print.ctimeNs }, print) === undefined ? print : undefined;
}

function isSameFile(a: Fingerprint, b: Fingerprint): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** Links are followed, as its readers do. Undefined: nothing is there, or nobody can get there. */
export async function fingerprintOf(path: string): Promise<Fingerprint | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, mode, uid, gid } = await stat(path, { bigint: true });
    return { dev, ino, size, mtimeNs, ctimeNs, mode, uid, gid };
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * What most likely has happened. The change time alone may differ for nothing (a hard link, a mode set to what it was): it
 * is told as `content`, and whoever compares the bytes finds none.
 */
export function differenceOf(
  known: Fingerprint | undefined,
  now: Fingerprint | undefined,
): DriftKind | undefined {
  if (now === undefined) return 'deleted';
  if (known === undefined || !isSameFile(known, now)) return 'content';
  if (known.uid !== now.uid || known.gid !== now.gid) return 'owner';
  if (known.mode !== now.mode) return 'mode';
  return known.ctimeNs === now.ctimeNs ? undefined : 'content';
}
