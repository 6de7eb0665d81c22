// What the agent takes away when it ends: FIFOs, which nobody would serve any more, and files that say `remove_on_exit`.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Logger } from '../../base/logger.ts';
import type { HeldFolder } from '../../base/paths/held-folder.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { ManagedFile } from '../file-set.ts';
import type { Accounts } from './accounts.ts';
import { refuseBorrowed } from './copy-file.ts';
import { atDestination } from './destination.ts';
import { toFileError } from './file-error.ts';
import { removeIfThere } from './remove-if-there.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/** Only what this run of the agent knows to be its own: a file that was never current is left alone. */
export async function removeFiles(
  files: readonly ManagedFile[],
  { logger, accounts }: { readonly logger: Logger; readonly accounts: Accounts },
): Promise<void> {
  await Promise.all(
    files.map(async (file) => {
      await file.fifo?.close();
      if (file.config.fifo || !file.config.removeOnExit || file.consumer === undefined) return;
      try {
        await removeFile(file, accounts);
      } catch (error) {
        logger.warn(
          { event: 'file.not-removed', destination: file.config.destination },
          toFileError(error, contextOf(file)).message,
        );
      }
    }),
  );
}

async function removeFile({ config }: ManagedFile, accounts: Accounts): Promise<void> {
  const uid =
    config.owner === undefined ? undefined : accounts.uid(config.owner, keyAt(config.place, 'owner'));
  const { place, destination } = config;
  await atDestination({ place, destination, uid, createParents: false }, async ({ name }, folder) => {
    if (config.backup) await removeIfThere(folder.entry(`${name}.bak`));
    try {
      await removeIfThere(folder.entry(name));
    } catch (error) {
      // A mount point stays; its bytes do not.
      if (errnoOf(error) !== 'EBUSY') throw error;
      await empty(folder, name);
    }
  });
}

async function empty(folder: HeldFolder, name: string): Promise<void> {
  const handle = await open(folder.entry(name), O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    refuseBorrowed({ folder, name }, handle.fd);
    await handle.truncate(0);
  } finally {
    await handle.close();
  }
}

function contextOf(file: ManagedFile): { place: string; path: string; verb: string } {
  return { place: keyAt(file.config.place, 'destination'), path: file.config.destination, verb: 'remove' };
}
