// Puts a sealed file, or the key to one, in place of the old one as a whole: who reads it sees the old or the new.
import { constants } from 'node:fs';
import { lstat, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LatchkeyError } from '../../base/errors.ts';
import { type HeldEntry, holdEntry } from '../../base/paths/held-folder.ts';
import { PathFault, pathErrorText, trusting } from '../../base/paths/path-trust.ts';
import { errnoOf } from '../../base/system/errno.ts';

export interface NewFile {
  readonly path: string;
  readonly content: Buffer;
  /** Of a file that is not there yet, which is mode 0600; an old one's mode and owner stay. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Runs when nobody else can replace it any more: throws where the old one is not what the new one was made of. */
  readonly confirm?: () => Promise<void>;
}

/** The staged file is the lock among those who replace: one that is older belongs to somebody who was killed. */
const staleMs = 10_000;
const lookEveryMs = 20;

/** Throws `file_failed` that names the path; the old file is whole then. */
export async function replaceSealedFile(file: NewFile): Promise<void> {
  const path = resolve(file.path);
  try {
    // Root works on files of the agent's user too, whose folder it is: links of anybody else are refused on the way.
    const { uid } = await stat(dirname(path));
    const target = await holdEntry(path, { trust: trusting(uid) });
    try {
      await replaceIn(target, file);
    } finally {
      target.folder.release();
    }
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    throw new LatchkeyError('file_failed', `${path} cannot be written (${pathErrorText(error)})`, {
      cause: error,
      remedy:
        error instanceof PathFault
          ? error.remedy
          : 'check that its folder is there and that you may write to it',
    });
  }
}

async function replaceIn(target: HeldEntry, file: NewFile): Promise<void> {
  const { folder, name } = target;
  const staged = folder.entry(`.${name}.latchkey`);
  await stageAlone(staged, target, file);
  try {
    await file.confirm?.();
    await rename(staged, folder.entry(name));
  } catch (error) {
    await unlink(staged).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await syncFolder(folder.entry('.'));
}

async function stageAlone(staged: string, target: HeldEntry, file: NewFile): Promise<void> {
  for (;;) {
    try {
      await stage(staged, target, file);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      const { mtimeMs } = await lstat(staged).catch(() => ({ mtimeMs: Date.now() })); // it is done already
      if (Date.now() - mtimeMs > staleMs)
        await unlink(staged).catch(() => undefined); // somebody else was faster
      else await sleep(lookEveryMs);
    }
  }
}

async function stage(staged: string, target: HeldEntry, { content, owner }: NewFile): Promise<void> {
  // Looked at again: while this one waited another may have put a new file there.
  const before = await lstat(target.folder.entry(target.name)).catch(() => undefined); // there is none yet
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(staged, flags, 0o600);
  try {
    const own = await handle.stat();
    const { uid, gid } = before ?? owner ?? own;
    if (uid !== own.uid || gid !== own.gid) await handle.chown(uid, gid);
    await handle.chmod(before === undefined ? 0o600 : before.mode & 0o777);
    await handle.writeFile(content);
    await handle.sync();
  } catch (error) {
    await unlink(staged).catch(() => undefined); // the first error is the one to tell
    throw error;
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
