// Removes a name in a folder that is held; one that is gone already is fine.
import { unlink } from 'node:fs/promises';
import { errnoOf } from '../../base/system/errno.ts';

/** `path` is an `entry` of the folder. Whether there was one; throws what the kernel says. */
export async function removeIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}
