// Reads unit and container out of /proc/PID/cgroup. Only what root itself set up counts: below a cgroup that was given
// away (user@UID.service, Delegate=) its owner names cgroups at will.
import { existsSync, statSync } from 'node:fs';

export interface CgroupIdentity {
  /** Whether it is one says `isGivenAway` of its slices. */
  readonly unit: string | undefined;
  /** The folders above the unit's own, outermost first. */
  readonly slices: readonly string[];
  /** Whether it is one says `isMadeByRoot`. */
  readonly container: string | undefined;
  /** The folders above the container's own, outermost first: `/system.slice`. */
  readonly above: readonly string[];
}

const unitName = /^[^/]+\.(?:service|scope|socket|mount|swap)$/;
const userManager = /^user@\d+\.service$/;
const containerId = /(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$/;

/** `text` is the file's content; on a hybrid or legacy hierarchy systemd's own line wins. */
export function parseCgroup(text: string): CgroupIdentity {
  const lines = text.split('\n');
  const line =
    lines.find((row) => /^\d+:name=systemd:/.test(row)) ?? lines.find((row) => row.startsWith('0::'));
  const path = line?.replace(/^\d+:[^:]*:/, '') ?? '';
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  const firstAt = parts.findIndex((part) => !part.endsWith('.slice'));
  const first = parts[firstAt];
  const unit = first !== undefined && unitName.test(first) ? unescapeCgroup(first) : undefined;
  const isUserOwned = unit !== undefined && userManager.test(unit);
  // The first one: what stands below it is the container's own word. A path from outside our namespace cannot be looked at.
  const at = isUserOwned || path.includes('/../') ? -1 : parts.findIndex((part) => containerId.test(part));
  const foldersAbove = (index: number): string[] =>
    parts.slice(0, Math.max(index, 0)).map((_part, end) => `/${parts.slice(0, end + 1).join('/')}`);
  const container = containerId.exec(parts[at] ?? '')?.[1];
  return { unit, slices: foldersAbove(firstAt), container, above: foldersAbove(at) };
}

/** Where the hierarchy is mounted that `parseCgroup` reads: the one, the hybrid's, the old one of systemd. */
const mounts = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'];

/** Whether nobody but root can make a cgroup in these folders, so that the name below them is no claim of a user's. */
export function isMadeByRoot(above: readonly string[], roots: readonly string[] = mounts): boolean {
  return roots.some((root) => ['', ...above].every((folder) => isOfRootAlone(`${root}${folder}`)));
}

/** Whether somebody else can make a cgroup in one of these folders, and name it as a unit. What cannot be seen is systemd's. */
export function isGivenAway(slices: readonly string[], roots: readonly string[] = mounts): boolean {
  return roots.some((root) =>
    slices.some((folder) => {
      const path = `${root}${folder}`;
      return existsSync(path) && !isOfRootAlone(path);
    }),
  );
}

function isOfRootAlone(path: string): boolean {
  try {
    const { uid, mode } = statSync(path);
    return uid === 0 && (mode & 0o022) === 0;
  } catch {
    // Not this hierarchy, or none that can be seen.
    return false;
  }
}

/** systemd puts `_` before names that would clash with the kernel's own files (systemd.unit, cg_escape). */
function unescapeCgroup(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name;
}
