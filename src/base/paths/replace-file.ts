// Writes a small file of the agent's own in one step: owner and mode are right before the first byte is there, readers see
// the old bytes or the new ones, whole, and so does the next start after a loss of power.
import fs, { type BigIntStats, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type HeldFolder, holdFolder, holdFolderSync } from './held-folder.ts';
import { leftoverName, leftoversAmong } from './leftover-name.ts';
import { type PathTrust, trusting } from './path-trust.ts';
import { specialFileFault } from './special-file.ts';

interface ReplaceOptions {
  readonly mode: number;
  /** Absent: as it comes, the agent's own. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Who else may have a hand in the path; default: nobody but root and the agent. */
  readonly trust?: PathTrust;
  /** Makes the folders that are not there, with this mode. */
  readonly createMode?: number;
  /** Makes the new name last; for those who share it between many files. */
  readonly sync?: (folder: HeldFolder) => Promise<void>;
  /** Removes what killed agents left of this very file; where nothing else sweeps the folder. */
  readonly sweeps?: boolean;
}

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fs.constants;
const stagedFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/**
 * Resolves to what the new file is, so that a change by somebody else can be told from it. A link in its place is replaced,
 * not followed. Throws a PathFault, or what the kernel says. */
export async function replaceFile(
  path: string,
  content: Buffer | string,
  options: ReplaceOptions,
): Promise<BigIntStats> {
  const { trust = trusting(options.uid), createMode } = options;
  const folder = await holdFolder(dirname(path), {
    trust,
    ...(createMode === undefined ? {} : { createMode }),
  });
  try {
    if (options.sweeps === true) await sweep(folder, basename(path));
    const staged = folder.entry(leftoverName('staged', path));
    const handle = await open(staged, stagedFlags, 0o600);
    let written: BigIntStats;
    try {
      mustBeReplaceable(path, fs.lstatSync(folder.entry(basename(path)), { throwIfNoEntry: false }));
      written = await fill(handle, content, options).finally(() => handle.close());
      await rename(staged, folder.entry(basename(path)));
    } catch (error) {
      // The first error is the one to tell.
      await unlink(staged).catch(() => undefined);
      throw error;
    }
    await (options.sync ?? syncFolder)(folder);
    return written;
  } finally {
    folder.release();
  }
}

/** The same at once, for small files and where nothing else goes on yet. Leaves the folder's sync to the kernel. */
export function replaceFileSync(path: string, content: Buffer | string, options: ReplaceOptions): void {
  const { trust = trusting(options.uid), createMode, uid, gid, mode } = options;
  const folder = holdFolderSync(dirname(path), {
    trust,
    ...(createMode === undefined ? {} : { createMode }),
  });
  const staged = folder.entry(leftoverName('staged', path));
  try {
    if (options.sweeps === true) sweepSync(folder, basename(path));
    const fd = fs.openSync(staged, stagedFlags, 0o600);
    try {
      if (uid !== undefined || gid !== undefined) fs.fchownSync(fd, uid ?? -1, gid ?? -1);
      fs.fchmodSync(fd, mode);
      fs.writeFileSync(fd, content);
      fs.fsyncSync(fd);
      mustBeReplaceable(path, fs.lstatSync(folder.entry(basename(path)), { throwIfNoEntry: false }));
      fs.renameSync(staged, folder.entry(basename(path)));
    } catch (error) {
      // The first error is the one to tell; what stays is swept.
      fs.rmSync(staged, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
  } finally {
    folder.release();
  }
}

function mustBeReplaceable(path: string, there: Stats | undefined): void {
  const special = there && specialFileFault(path, there);
  if (special !== undefined) throw special;
}

async function fill(
  handle: FileHandle,
  content: Buffer | string,
  options: ReplaceOptions,
): Promise<BigIntStats> {
  const { uid, gid, mode } = options;
  // -1 leaves the one that is not named as it is (chown(2)).
  if (uid !== undefined || gid !== undefined) await handle.chown(uid ?? -1, gid ?? -1);
  // It was made with 0600, and no umask takes from that what its owner needs.
  if (mode !== 0o600) await handle.chmod(mode);
  await handle.writeFile(content);
  await handle.sync();
  return handle.stat({ bigint: true });
}

/** Makes the names in a folder last through a power cut. */
async function syncFolder(folder: HeldFolder): Promise<void> {
  // A folder that we may write but not read cannot be synced; the rename itself is done.
  const handle = await open(folder.entry('.'), O_RDONLY | O_DIRECTORY).catch(() => undefined);
  try {
    await handle?.sync();
  } catch {
    // Some file systems (network, FUSE) refuse to sync a folder.
  } finally {
    await handle?.close();
  }
}

async function sweep(folder: HeldFolder, name: string): Promise<void> {
  // A folder that cannot be read holds nothing that we could find.
  const names = await readdir(folder.entry('.')).catch(() => []);
  // What cannot be removed now is found again next time.
  for (const left of leftOf(name, names)) await unlink(folder.entry(left)).catch(() => undefined);
}

function sweepSync(folder: HeldFolder, name: string): void {
  try {
    const names = fs.readdirSync(folder.entry('.'));
    for (const left of leftOf(name, names)) fs.rmSync(folder.entry(left), { force: true });
  } catch {
    // As above.
  }
}

function leftOf(name: string, names: readonly string[]): string[] {
  return leftoversAmong(names, 'staged').filter((other) => other.endsWith(`-${name}`));
}
