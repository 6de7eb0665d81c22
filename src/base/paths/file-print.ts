// What tells, without reading it, that a file is still the one that was written or looked at. Only a difference leads to
// more: what is done then goes by held folders again, so a path is enough here.
import { type BigIntStats, lstatSync, statSync } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { errnoOf } from '../system/errno.ts';
import { isLocalDevice } from './local-device.ts';
import { type Links, lookExactly } from './look-at.ts';

/** `deleted`: nothing is there; `content`: another file, or other bytes. */
export type FileDifference = 'deleted' | 'content' | 'mode' | 'owner';

export type FilePrint = Pick<
  BigIntStats,
  'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs' | 'mode' | 'uid' | 'gid'
>;

/** What a rename leaves as it is. */
export type WrittenPrint = Omit<FilePrint, 'ctimeNs'>;

export function printOf(stats: FilePrint): FilePrint {
  const { dev, ino, size, mtimeNs, ctimeNs, mode, uid, gid } = stats;
  return { dev, ino, size, mtimeNs, ctimeNs, mode, uid, gid };
}

/** Undefined: nothing is there, or nobody can get there. `near`: what was there before. */
export async function printAt(
  path: string,
  links: Links = 'followed',
  near?: Pick<FilePrint, 'dev'>,
): Promise<FilePrint | undefined> {
  const isFollowed = links === 'followed';
  try {
    if (near !== undefined && isLocalDevice(near.dev))
      return printOf((isFollowed ? statSync : lstatSync)(path, { bigint: true }));
    return printOf(await (isFollowed ? stat : lstat)(path, { bigint: true }));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * Of a file that was just put in place. Undefined where it is another one already: somebody was faster than this look, and
 * the next one finds the difference.
 */
export async function printOfWritten(
  path: string,
  written: WrittenPrint | undefined,
  links: Links = 'followed',
): Promise<FilePrint | undefined> {
  const print = await printAt(path, links, written);
  if (print === undefined || written === undefined) return print;
  return differenceOf({ ...written, ctimeNs: print.ctimeNs }, print) === undefined ? print : undefined;
}

/**
 * What most likely has happened. The change time alone may differ for nothing (a hard link, a mode set to what it was): it
 * is told as `content`, and whoever compares the bytes finds none.
 */
export function differenceOf(
  known: FilePrint | undefined,
  now: FilePrint | undefined,
): FileDifference | undefined {
  if (now === undefined) return 'deleted';
  if (known === undefined || !hasSameBytes(known, now)) return 'content';
  if (known.uid !== now.uid || known.gid !== now.gid) return 'owner';
  if (known.mode !== now.mode) return 'mode';
  return known.ctimeNs === now.ctimeNs ? undefined : 'content';
}

function hasSameBytes(a: FilePrint, b: FilePrint): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/**
 * What stays the same as long as it is the same file, folder or socket, whatever is done to it: the number of an inode is used
 * again at once, with the birth it is not. Undefined: nothing is there.
 */
export function inodeAt(path: string, links: Links): string | undefined {
  const { stats } = lookExactly(path, links);
  return stats && inodeOf(stats);
}

export function inodeOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${birthtimeNs}`;
}
