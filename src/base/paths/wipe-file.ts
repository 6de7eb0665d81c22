// Overwrites a file that was taken over and removes it: the very file that was read, whatever others make of its name.
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { contentFault } from './controlled-file.ts';
import { holdEntry } from './held-folder.ts';
import { PathFault, readingOnly } from './path-trust.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

/** `bytes` are what was read: a file that holds anything else is left as it is. Throws a PathFault, or what the kernel says. */
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
    if (!(await handle.readFile()).equals(bytes))
      throw new PathFault(`${path} is another one by now, and is not overwritten`, 'look what it is');
    await handle.write(Buffer.alloc(bytes.length), 0, bytes.length, 0);
    await handle.sync();
    await unlink(folder.entry(name));
  } finally {
    await handle?.close();
    folder.release();
  }
}
