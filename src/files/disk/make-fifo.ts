// Makes FIFOs: mkfifo(3), which Node does not have. Their owner and mode are set by descriptor, because in a folder of
// others the name may lead to something else a moment later.
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { LatchkeyError } from '../../base/errors.ts';
import type { HeldFolder } from '../../base/paths/held-folder.ts';
import { leftoverName } from '../../base/paths/leftover-name.ts';
import { PathFault } from '../../base/paths/path-trust.ts';
import { lastErrnoName, mkfifo } from '../../base/system/libc.ts';

interface FifoAttributes {
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Puts a new FIFO at `name` in one step, over whatever file is there. */
export async function replaceByFifo(
  folder: HeldFolder,
  name: string,
  attributes: FifoAttributes,
): Promise<void> {
  const fresh = folder.entry(leftoverName('staged', name));
  if (mkfifo(fresh, 0o600) !== 0) {
    throw new LatchkeyError('file_failed', `cannot make a FIFO in ${folder.path} (${lastErrnoName()})`, {
      remedy: 'let the agent write to the folder, on a file system that knows FIFOs',
    });
  }
  try {
    await setAttributes(fresh, folder, attributes);
    await rename(fresh, folder.entry(name));
  } catch (error) {
    await unlink(fresh).catch(() => undefined);
    throw error;
  }
}

/** A FIFO of our own can be opened for reading without a writer; what was put in its place is not ours. */
async function setAttributes(path: string, folder: HeldFolder, wanted: FifoAttributes): Promise<void> {
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFIFO() || stats.uid !== process.geteuid?.() || stats.nlink !== 1) {
      throw new PathFault(`the new FIFO in ${folder.path} was replaced`, 'it is tried again');
    }
    if (wanted.uid !== undefined || wanted.gid !== undefined) {
      await handle.chown(wanted.uid ?? -1, wanted.gid ?? -1);
    }
    await handle.chmod(wanted.mode & 0o777);
  } finally {
    await handle.close();
  }
}
