// Copies with owner and mode, where a rename or a hard link is impossible: into an existing file, or to a new one.
import { constants } from 'node:fs';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const modeBits = 0o7777;

/** Writes the bytes of `from` over those of `to`, which must exist. Not atomic: a reader may see a mixture. */
export async function copyInto(from: string, to: string): Promise<void> {
  const source = await open(from, O_RDONLY | O_NOFOLLOW);
  let sink: FileHandle | undefined;
  try {
    sink = await open(to, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
    await copy(source, sink);
  } finally {
    await sink?.close();
    await source.close();
  }
}

/** The file under a second name that keeps its bytes, owner and mode; a copy where it cannot be linked. */
export async function keepUnder(path: string, name: string, mustCopy: boolean): Promise<void> {
  if (!mustCopy) {
    try {
      await link(path, name);
      return;
    } catch {
      // Not our file (fs.protected_hardlinks), or a file system without links.
    }
  }
  const source = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  let sink: FileHandle | undefined;
  try {
    sink = await open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    await copy(source, sink);
  } catch (error) {
    await unlink(name).catch(() => undefined);
    throw error;
  } finally {
    await sink?.close();
    await source.close();
  }
}

async function copy(source: FileHandle, sink: FileHandle): Promise<void> {
  const wanted = await source.stat();
  const now = await sink.stat();
  if (now.uid !== wanted.uid || now.gid !== wanted.gid) await sink.chown(wanted.uid, wanted.gid);
  if ((now.mode & modeBits) !== (wanted.mode & modeBits)) await sink.chmod(wanted.mode & modeBits);
  const bytes = await source.readFile();
  for (let done = 0; done < bytes.length; ) {
    done += (await sink.write(bytes, done, bytes.length - done, done)).bytesWritten;
  }
  await sink.truncate(bytes.length);
  await sink.sync();
}
