// Makes renames in a folder last through a power cut. Many files of one folder at a time cost one fsync.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** Resolves when every entry that was in the folder at the time of the call is on disk. */
export type SyncFolder = (folder: string) => Promise<void>;

export function createFolderSync(): SyncFolder {
  const waiting = new Map<string, Promise<void>>();
  const running = new Map<string, Promise<void>>();

  async function sync(folder: string): Promise<void> {
    // The one that runs may have begun before our rename; the next one has not.
    await running.get(folder);
    waiting.delete(folder);
    const run = syncOnce(folder).finally(() => running.delete(folder));
    running.set(folder, run);
    await run;
  }

  return (folder) => {
    const known = waiting.get(folder);
    if (known !== undefined) return known;
    const next = Promise.resolve().then(() => sync(folder));
    waiting.set(folder, next);
    return next;
  };
}

async function syncOnce(folder: string): Promise<void> {
  const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(() => undefined);
  // A folder that we may write but not read cannot be synced; the rename itself is done.
  if (handle === undefined) return;
  try {
    await handle.sync();
  } catch {
    // Some file systems (network, FUSE) refuse to sync a folder.
  } finally {
    await handle.close();
  }
}
