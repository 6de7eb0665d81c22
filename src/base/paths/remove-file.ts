// Removes a file by its path: in the folder that was walked to, whatever becomes of the path meanwhile.
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { contentFault, readUpTo } from './controlled-file.ts';
import { holdEntry, holdFolder } from './held-folder.ts';
import { PathFault, readingOnly } from './path-trust.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

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

/**
 * Overwrites a file that was taken over and removes it: the very file that was read, whatever others make of its name. `bytes`
 * are what was read: a file that holds anything else is left as it is. Throws a PathFault, or what the kernel says.
 */
export async function wipeFile(path: string, bytes: Buffer): Promise<void> {
  const { folder, name } = await holdEntry(resolve(path), { trust: readingOnly });
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder.entry(name), O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    const stats = await handle.stat();
    const wrong = contentFault(path, stats, bytes.length);
    if (wrong !== undefined) throw wrong;
    if (stats.nlink !== 1)
      throw new PathFault(`${path} has ${stats.nlink} names, and is not overwritten`, 'remove it by hand');
    if (!(await readUpTo(handle.fd, bytes.length + 1)).equals(bytes))
      throw new PathFault(`${path} is another one by now, and is not overwritten`, 'look what it is');
    await handle.write(Buffer.alloc(bytes.length), 0, bytes.length, 0);
    await handle.sync();
    await unlink(folder.entry(name));
  } finally {
    await handle?.close();
    folder.release();
  }
}
