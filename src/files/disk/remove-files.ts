// What the agent takes away when it ends: FIFOs, which nobody would serve any more, and files that say `remove_on_exit`.

import { truncate, unlink } from 'node:fs/promises';
import { errnoOf } from '../../base/errno.ts';
import type { Logger } from '../../base/logger.ts';
import type { FileUnit } from '../file-group.ts';
import { findDestination } from './destination.ts';
import { toFileError } from './file-error.ts';

/** Only what this run of the agent knows to be its own: a file that was never current is left alone. */
export async function removeFiles(units: readonly FileUnit[], logger: Logger): Promise<void> {
  await Promise.all(
    units.map(async (unit) => {
      await unit.fifo?.close();
      if (unit.config.fifo || !unit.config.removeOnExit || unit.consumer === undefined) return;
      try {
        await removeFile(unit);
      } catch (error) {
        logger.warn({ destination: unit.config.destination }, toFileError(error, contextOf(unit)).message);
      }
    }),
  );
}

async function removeFile(unit: FileUnit): Promise<void> {
  const { path } = await findDestination(unit.config);
  if (unit.config.backup) await unlinkIfThere(`${path}.bak`);
  try {
    await unlinkIfThere(path);
  } catch (error) {
    // A mount point stays; its bytes do not.
    if (errnoOf(error) !== 'EBUSY') throw error;
    await truncate(path, 0);
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}

function contextOf(unit: FileUnit): { place: string; path: string; verb: string } {
  return { place: `${unit.config.place}.destination`, path: unit.config.destination, verb: 'remove' };
}
