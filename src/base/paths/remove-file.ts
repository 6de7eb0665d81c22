// Removes a file by its path: in the folder that was walked to, whatever becomes of the path meanwhile.
import { unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { holdEntry, holdFolder } from './held-folder.ts';
import { readingOnly } from './path-trust.ts';

/** A link is removed itself. Throws a PathFault, or what the kernel says. */
export async function removeFile(path: string): Promise<void> {
  const folder = await holdFolder(dirname(path), { trust: readingOnly });
  try {
    await unlink(folder.entry(basename(path)));
  } finally {
    folder.release();
  }
}

/** What a link leads to is removed, and the link stays: where whoever made it could have had that read, too. Throws as above. */
export async function removeLinkedFile(path: string): Promise<void> {
  const { folder, name } = await holdEntry(path, { trust: readingOnly });
  try {
    await unlink(folder.entry(name));
  } finally {
    folder.release();
  }
}
