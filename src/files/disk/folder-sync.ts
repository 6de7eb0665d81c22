// Makes renames in a folder last through a power cut. Many files of one folder at a time cost one fsync.
import fs, { constants } from 'node:fs';
import { promisify } from 'node:util';
import { closeThere, isLocalDevice, openThere } from '../../base/paths/local-device.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** Resolves when every entry that was in the folder at the time of the call is on disk. `dev`: of the folder, if it is known. */
export type SyncFolder = (folder: string, dev?: number) => Promise<void>;

const syncFile = promisify(fs.fsync);

export function createFolderSync(): SyncFolder {
  const waiting = new Map<string, Promise<void>>();
  const running = new Map<string, Promise<void>>();

  async function sync(folder: string, isLocal: boolean): Promise<void> {
    // The one that runs may have begun before our rename; the next one has not.
    await running.get(folder);
    waiting.delete(folder);
    const run = syncOnce(folder, isLocal).finally(() => running.delete(folder));
    running.set(folder, run);
    await run;
  }

  return (folder, dev) => {
    const known = waiting.get(folder);
    if (known !== undefined) return known;
    const next = Promise.resolve().then(() => sync(folder, dev !== undefined && isLocalDevice(dev)));
    waiting.set(folder, next);
    return next;
  };
}

async function syncOnce(folder: string, isLocal: boolean): Promise<void> {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const fd = await openThere(folder, flags, isLocal).catch(() => undefined);
  // A folder that we may write but not read cannot be synced; the rename itself is done.
  if (fd === undefined) return;
  try {
    await syncFile(fd);
  } catch {
    // Some file systems (network, FUSE) refuse to sync a folder.
  } finally {
    await closeThere(fd, isLocal);
  }
}
