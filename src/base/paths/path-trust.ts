// Who may have a hand in where a path leads: root, the agent's own user, and the users that are named for a file. A folder
// that anybody else can write may hold tomorrow what they like, and so may a link of theirs.
import type { Stats } from 'node:fs';
import { BoundedMap } from '../bounded-map.ts';
import { groupMembers } from '../system/accounts.ts';
import { errnoOf } from '../system/errno.ts';
import { hasAccessList } from '../system/libc.ts';

export interface PathTrust {
  /** Root, the agent and the owners. */
  readonly uids: ReadonlySet<number>;
  /** For reading only: folders may be anybody's, and anybody's link is followed into a folder of theirs. */
  readonly isForReading?: boolean;
  /** No link of anybody else is followed, not even into a folder of theirs: for what counts by who owns it. */
  readonly hasOwnLinksOnly?: boolean;
}

/** A path that others have a hand in, or that cannot be a path. `message` says what is wrong with which part of it. */
export class PathFault extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'PathFault';
    this.remedy = remedy;
  }
}

const groupWrites = 0o020;
const othersWrite = 0o002;
const sticky = 0o1000;

/** Trusts root, the agent's user and `owners`; -1 and undefined are nobody. */
export function trusting(...owners: readonly (number | undefined)[]): PathTrust {
  const uids = new Set([0, ownUser()]);
  for (const uid of owners) if (uid !== undefined && uid >= 0) uids.add(uid);
  return { uids };
}

/** For what is read and believed by what it says, or by its owner: see `isForReading`. */
export const readingOnly: PathTrust = { uids: new Set(), isForReading: true };

/** For what is believed because it is root's: others may have moved it, but nobody leads elsewhere. */
export const readingOwn: PathTrust = { ...readingOnly, hasOwnLinksOnly: true };

/** The message of a fault, or the name of the kernel's refusal. */
export function pathErrorText(error: unknown): string {
  if (error instanceof PathFault) return error.message;
  return errnoOf(error) ?? (error instanceof Error ? error.message : String(error));
}

/** Those whose links are followed wherever they lead. */
export function isMaster(uid: number): boolean {
  return uid === 0 || uid === ownUser();
}

function ownUser(): number {
  return process.geteuid?.() ?? 0;
}

/**
 * What is wrong with a folder, undefined when nothing is. `opened` leads to it whatever its name. A sticky folder may be
 * written by all, because they cannot touch what is not theirs in it: whoever takes something out of it looks at its owner.
 */
export function folderFault(
  folder: { readonly path: string; readonly stats: Stats; readonly opened: string },
  trust: PathTrust,
): PathFault | undefined {
  const { path, stats, opened } = folder;
  if (trust.isForReading) return undefined;
  if (!trust.uids.has(stats.uid)) {
    return new PathFault(
      `${path} belongs to uid ${stats.uid}, who could put anything there`,
      `give ${path} to root, or name its owner as the owner of the file`,
    );
  }
  if ((stats.mode & sticky) !== 0 || (stats.mode & (groupWrites | othersWrite)) === 0) return undefined;
  if ((stats.mode & othersWrite) !== 0) {
    // As volumes that containers share are (0777). Who is not root has nothing that others could lead them to spoil: what
    // they find there is looked at as in a sticky folder.
    if (process.geteuid?.() !== 0) return undefined;
    return new PathFault(
      `${path} can be written by everybody (mode ${octal(stats.mode)})`,
      `chmod o-w ${path}, or choose another folder`,
    );
  }
  if (isGroupHarmless(stats.gid, trust) && !hasAccessList(opened)) return undefined;
  return new PathFault(
    `${path} can be written by its group ${stats.gid} (mode ${octal(stats.mode)})`,
    `chmod g-w ${path}, or choose another folder`,
  );
}

/** A link of root or the agent leads anywhere; one of another trusted user only into a folder of theirs. */
export function linkFault(path: string, stats: Stats, trust: PathTrust): PathFault | undefined {
  const isAnybodys = trust.isForReading && trust.hasOwnLinksOnly !== true;
  if (!isAnybodys && !trust.uids.has(stats.uid) && !isMaster(stats.uid)) {
    return new PathFault(
      `${path} is a link made by uid ${stats.uid}, who could let it lead anywhere`,
      'let root or the agent make the link, or name what it leads to',
    );
  }
  // Somebody gave a link of root's a second name, in a place of their choice.
  if (stats.nlink > 1)
    return new PathFault(`${path} is a link with ${stats.nlink} names`, 'make a link of its own');
  return undefined;
}

/** What lies in a folder that all can write, or in a sticky one of a group, may be anybody's. */
export function isSharedFolder(stats: Stats): boolean {
  if ((stats.mode & othersWrite) !== 0) return true;
  return (stats.mode & sticky) !== 0 && (stats.mode & groupWrites) !== 0;
}

function isGroupHarmless(gid: number, trust: PathTrust): boolean {
  return gid === 0 || membersOf(gid)?.every((uid) => trust.uids.has(uid)) === true;
}

/** Groups of NSS cost a process; who is in one changes seldom. */
const rememberedMs = 5000;
const known = new BoundedMap<
  number,
  { readonly members: readonly number[] | undefined; readonly until: number }
>(256);

function membersOf(gid: number): readonly number[] | undefined {
  const before = known.get(gid);
  if (before !== undefined && performance.now() < before.until) return before.members;
  const members = groupMembers(gid);
  known.set(gid, { members, until: performance.now() + rememberedMs });
  return members;
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}
