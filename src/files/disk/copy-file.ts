// Copies with owner and mode, where a rename or a hard link is impossible: into an existing file, or to a new one. Names
// are those of held folders.
import { constants, fstatSync } from 'node:fs';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { readUpTo } from '../../base/paths/controlled-file.ts';
import type { HeldFolder } from '../../base/paths/held-folder.ts';
import { isMaster, isSharedFolder, PathFault } from '../../base/paths/path-trust.ts';
import { pathIn } from '../../base/paths/walk-path.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const modeBits = 0o7777;
/** What is there may have been made longer by its owner; no template gives so much. */
const largestFileBytes = 256 * 1024 * 1024;

export interface HeldName {
  readonly folder: HeldFolder;
  readonly name: string;
}

/** Writes the bytes of `from` over those of `to`, which must exist. Not atomic: a reader may see a mixture. */
export async function copyInto(from: HeldName, to: HeldName): Promise<void> {
  const source = await open(from.folder.entry(from.name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  let sink: FileHandle | undefined;
  try {
    sink = await open(to.folder.entry(to.name), O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    refuseBorrowed(to, sink.fd);
    await copy(source, sink);
  } finally {
    await sink?.close();
    await source.close();
  }
}

/** The file under a second name that keeps its bytes, owner and mode; a copy where it cannot be linked. */
export async function keepUnder(from: HeldName, to: HeldName, mustCopy: boolean): Promise<void> {
  const path = from.folder.entry(from.name);
  const kept = to.folder.entry(to.name);
  if (!mustCopy) {
    try {
      await link(path, kept);
      return;
    } catch {
      // Not our file (fs.protected_hardlinks), or a file system without links.
    }
  }
  const source = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  let sink: FileHandle | undefined;
  try {
    refuseBorrowed(from, source.fd);
    sink = await open(kept, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    await copy(source, sink);
  } catch (error) {
    await unlink(kept).catch(() => undefined);
    throw error;
  } finally {
    await sink?.close();
    await source.close();
  }
}

/** In a folder of others a name may be a second one of a file that is not theirs. */
function mayBeBorrowed({ stats }: HeldFolder): boolean {
  return !isMaster(stats.uid) || isSharedFolder(stats);
}

/** Throws where what was opened is no file of its own. */
export function refuseBorrowed({ folder, name }: HeldName, fd: number): void {
  if (!mayBeBorrowed(folder)) return;
  const stats = fstatSync(fd);
  if (stats.isFile() && stats.nlink === 1) return;
  throw new PathFault(
    `${pathIn(folder.path, name)} is ${stats.isFile() ? `a file with ${stats.nlink} names` : 'no regular file'}, in a folder of uid ${folder.stats.uid}`,
    'remove it',
  );
}

async function copy(source: FileHandle, sink: FileHandle): Promise<void> {
  const wanted = await source.stat();
  const now = await sink.stat();
  const bytes = await readUpTo(source.fd, largestFileBytes + 1);
  if (bytes.length > largestFileBytes)
    throw new PathFault(
      `what is there has more than ${largestFileBytes} bytes, and is not kept`,
      'remove it',
    );
  if (now.uid !== wanted.uid || now.gid !== wanted.gid) {
    // Its new owner must not read what it held before.
    if (now.isFile()) await sink.truncate(0);
    await sink.chown(wanted.uid, wanted.gid);
  }
  if ((now.mode & modeBits) !== (wanted.mode & modeBits)) await sink.chmod(wanted.mode & modeBits);
  for (let done = 0; done < bytes.length; ) {
    done += (await sink.write(bytes, done, bytes.length - done, done)).bytesWritten;
  }
  await sink.truncate(bytes.length);
  await sink.sync();
}
