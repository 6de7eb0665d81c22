// Removes what transactions of dead processes left in a folder: by the name that such a process gave it, and by its owner.
import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type HeldFolder, holdFolder } from '../../base/paths/held-folder.ts';
import { leftoversAmong } from '../../base/paths/leftover-name.ts';
import { isSharedFolder, type PathTrust, trusting } from '../../base/paths/path-trust.ts';

export interface LeftoverFolder {
  readonly path: string;
  /** Whose files are in it, beside root's and the agent's. */
  readonly uid: number | undefined;
}

/** Removes them from these folders, save the paths in `kept`; tells how many there were. */
export async function sweepLeftovers(
  folders: Iterable<LeftoverFolder>,
  kept: ReadonlySet<string>,
): Promise<number> {
  let count = 0;
  for (const { path, uid } of folders) {
    const trust = trusting(uid);
    // A folder that is gone, closed to us or open to strangers holds nothing that we would touch.
    const folder = await holdFolder(path, { trust }).catch(() => undefined);
    if (folder === undefined) continue;
    count += await sweep(folder, trust, kept).finally(() => folder.release());
  }
  return count;
}

async function sweep(folder: HeldFolder, trust: PathTrust, kept: ReadonlySet<string>): Promise<number> {
  let count = 0;
  const names = await readdir(folder.entry('.')).catch(() => []);
  for (const name of leftoversAmong(names)) {
    if (kept.has(join(folder.path, name))) continue;
    // What cannot be removed now (a folder gone read-only) is found again at the next start.
    if (await removeOwn(folder, name, trust).catch(() => false)) count += 1;
  }
  return count;
}

async function removeOwn(folder: HeldFolder, name: string, trust: PathTrust): Promise<boolean> {
  const stats = await lstat(folder.entry(name));
  if (stats.isDirectory() || (isSharedFolder(folder.stats) && !trust.uids.has(stats.uid))) return false;
  await unlink(folder.entry(name));
  return true;
}
