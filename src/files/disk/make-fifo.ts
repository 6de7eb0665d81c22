// mkfifo(3), which Node does not have.
import { chmod, lchown, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { mkfifo } from '../../base/libc.ts';
import { leftoverName } from './leftover.ts';

interface FifoAttributes {
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** Puts a new FIFO at `path` in one step, over whatever file is there. */
export async function replaceByFifo(path: string, attributes: FifoAttributes): Promise<void> {
  const fresh = join(dirname(path), leftoverName('staged', path));
  if (mkfifo(fresh, 0o600) !== 0) {
    throw new LatchkeyError('file_failed', `cannot make a FIFO in ${dirname(path)}`, {
      remedy: 'let the agent write to the folder, on a file system that knows FIFOs',
    });
  }
  try {
    if (attributes.uid !== undefined || attributes.gid !== undefined) {
      await lchown(fresh, attributes.uid ?? -1, attributes.gid ?? -1);
    }
    await chmod(fresh, attributes.mode);
    await rename(fresh, path);
  } catch (error) {
    await unlink(fresh).catch(() => undefined);
    throw error;
  }
}
