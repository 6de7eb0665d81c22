// mkfifo(3), which Node does not have. The binding is loaded with the first FIFO, not before.
import { chmod, lchown, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { leftoverName } from './leftover.ts';

interface FifoAttributes {
  readonly mode: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

type MakeFifo = (path: string, mode: number) => number;
let makeFifo: MakeFifo | undefined;

/** Puts a new FIFO at `path` in one step, over whatever file is there. */
export async function replaceByFifo(path: string, attributes: FifoAttributes): Promise<void> {
  makeFifo ??= await loadMakeFifo();
  const fresh = join(dirname(path), leftoverName('staged', path));
  if (makeFifo(fresh, 0o600) !== 0) {
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

async function loadMakeFifo(): Promise<MakeFifo> {
  const { default: koffi } = await import('koffi');
  return koffi.load(null).func('int mkfifo(const char *path, unsigned int mode)') as unknown as MakeFifo;
}
