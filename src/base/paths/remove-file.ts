// Removes a file by its path: in the folder that was walked to, whatever becomes of the path meanwhile.
import { unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { holdFolder } from './held-folder.ts';
import { type PathTrust, readingOnly } from './path-trust.ts';

/** A link is removed itself. Throws a PathFault, or what the kernel says. */
export async function removeFile(path: string, trust: PathTrust = readingOnly): Promise<void> {
  const folder = await holdFolder(dirname(path), { trust });
  try {
    await unlink(folder.entry(basename(path)));
  } finally {
    folder.release();
  }
}
