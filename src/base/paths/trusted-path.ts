// Who can change what is found at a path: walks from / and names the first part that somebody other than root and this
// process's user owns or may write. As sshd's StrictModes; opening a file safely is for those who open it.
import { readlinkSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { hasAccessList } from '../system/libc.ts';
import { lookAt } from './look-at.ts';

export interface PathFault {
  /** The part that is not as it should be: the file, a folder above it, or a link on the way. */
  readonly path: string;
  /** `can be written by everybody (mode 0666)` and so on. */
  readonly what: string;
  readonly remedy: string;
}

export interface TrustOptions {
  /** Only modes count, whoever owns it. */
  readonly isAnyOwner?: boolean;
  /** Whether a group may write: true where it has nobody in it who is not trusted anyway. The default: none may. */
  readonly isTrustedGroup?: (gid: number) => boolean;
  /** For what holds a secret: that not everybody may read it, either. */
  readonly isSecret?: boolean;
}

/** A folder, a link or a file as it was when it was held. */
export interface WayPart {
  readonly path: string;
  readonly stats: Stats;
  readonly hasAccessList: boolean;
}

const mostLinks = 40;
const writableByGroup = 0o020;
const writableByOthers = 0o002;
const readableByOthers = 0o004;
const searchableByOthers = 0o001;
const sticky = 0o1000;

/** Undefined when nobody else can change it. A path that is not there is judged by the folders above it. */
export function findPathFault(path: string, options: TrustOptions = {}): PathFault | undefined {
  let rest = namesOf(isAbsolute(path) ? path : `${process.cwd()}/${path}`);
  let current = '/';
  let links = 0;
  let isInReach = true;
  for (;;) {
    // What cannot be looked at cannot be read, either: whoever wants to says so.
    const { stats } = lookAt(current, 'kept');
    if (stats === undefined) return undefined;
    const isLast = rest.length === 0 && !stats.isSymbolicLink();
    const fault = faultOf(current, stats, { ...options, isLast, isInReach });
    if (fault !== undefined || isLast) return fault;
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > mostLinks) return { path, what: 'leads through too many links', remedy: 'remove the loop' };
      const target = readlinkSync(current);
      rest = [...(isAbsolute(target) ? [] : namesOf(dirname(current))), ...namesOf(target), ...rest];
      current = '/';
      isInReach = true;
      continue;
    }
    isInReach &&= (stats.mode & searchableByOthers) !== 0;
    const name = rest.shift() ?? '';
    if (name === '..') {
      // As the kernel does: what is above the folder that a link led to, and not above the link.
      rest = [...namesOf(dirname(current)), ...rest];
      current = '/';
      isInReach = true;
    } else current = join(current, name);
  }
}

/** The same of what was walked to by descriptors, so that it is the very file that is judged. */
export function findWayFault(
  way: readonly WayPart[],
  options: Omit<TrustOptions, 'isSecret'> = {},
): PathFault | undefined {
  for (const [index, part] of way.entries()) {
    const isLast = index === way.length - 1;
    const fault = faultOf(
      part.path,
      part.stats,
      { ...options, isLast, isInReach: false },
      part.hasAccessList,
    );
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** `opened` leads to it, whatever its name. */
export function wayPart(path: string, stats: Stats, opened: string): WayPart {
  return { path, stats, hasAccessList: (stats.mode & writableByGroup) !== 0 && hasAccessList(opened) };
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** Of one part of the way; `isInReach`: all can come to it. */
function faultOf(
  path: string,
  stats: Stats,
  options: TrustOptions & { isLast: boolean; isInReach: boolean },
  isListed?: boolean,
): PathFault | undefined {
  const { isLast } = options;
  const isOwner = stats.uid === 0 || stats.uid === (process.geteuid?.() ?? 0);
  if (!isOwner && options.isAnyOwner !== true) {
    return { path, what: `belongs to uid ${stats.uid}`, remedy: `chown root ${path}` };
  }
  if (stats.isSymbolicLink()) return undefined; // the mode of a link means nothing
  const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0');
  // In a sticky folder only its owner may replace an entry, and the entry itself is looked at next.
  const isSafeFolder = !isLast && (stats.mode & sticky) !== 0;
  if ((stats.mode & writableByOthers) !== 0 && !isSafeFolder) {
    return { path, what: `can be written by everybody (mode ${mode})`, remedy: `chmod o-w ${path}` };
  }
  const isGroupTrusted = stats.gid === 0 || options.isTrustedGroup?.(stats.gid) === true;
  const isByGroup = (stats.mode & writableByGroup) !== 0 && !isSafeFolder;
  if (isByGroup && (!isGroupTrusted || (isListed ?? hasAccessList(path)))) {
    const what = `can be written by group ${stats.gid} (mode ${mode})`;
    return { path, what, remedy: `chmod g-w ${path}` };
  }
  const isOpen = isLast && options.isInReach && (stats.mode & readableByOthers) !== 0;
  if (!isOpen || options.isSecret !== true) return undefined;
  return { path, what: `can be read by everybody (mode ${mode})`, remedy: `chmod o= ${path}` };
}
