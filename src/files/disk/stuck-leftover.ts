// What a folder did not let be removed, as an append-only one does not: nothing more is put there until it goes, or each
// try would leave another file.
import { unlink } from 'node:fs/promises';
import type { HeldFolder } from '../../base/paths/held-folder.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { removeIfThere } from './remove-if-there.ts';

/** Names by folder. The next process finds them by their names. */
const stuck = new Map<string, Set<string>>();

/** Removes a file that was for a moment only, or keeps in mind that the folder did not allow it. */
export async function removeMomentary(folder: HeldFolder, name: string): Promise<void> {
  try {
    await unlink(folder.entry(name));
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'EPERM' && code !== 'EACCES') return;
    const names = stuck.get(folder.path) ?? new Set();
    stuck.set(folder.path, names.add(name));
  }
}

export function isStuck(folder: HeldFolder): boolean {
  return stuck.has(folder.path);
}

/** Throws what the kernel says when it still cannot be removed. */
export async function removeStuck(folder: HeldFolder): Promise<void> {
  for (const name of stuck.get(folder.path) ?? []) {
    await removeIfThere(folder.entry(name));
    stuck.get(folder.path)?.delete(name);
  }
  stuck.delete(folder.path);
}
