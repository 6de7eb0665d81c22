// Writes the file of a sink: owner and mode are right before the first byte is there, and the old file stays whole until then.

import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findGroup, findUser } from '../../../base/accounts.ts';
import { errnoOf } from '../../../base/errno.ts';
import { LatchkeyError } from '../../../base/errors.ts';
import type { SinkConfig } from '../../../config/upstreams/vault-config.ts';

/** Throws `file_failed` that names the path. */
export async function writeSinkFile(sink: SinkConfig, content: Buffer): Promise<void> {
  const { path } = sink;
  // One name for all tries, so that a killed agent leaves at most one behind, which the next one replaces.
  const staged = join(dirname(path), `.${basename(path)}.latchkey`);
  try {
    await unlinkIfThere(staged);
    await stage(staged, sink, content);
    await rename(staged, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await unlinkIfThere(staged).catch(() => {
      // The first error is the one to tell.
    });
    if (error instanceof LatchkeyError) throw error;
    const code = errnoOf(error);
    throw new LatchkeyError('file_failed', `the sink ${path} cannot be written (${code})`, {
      cause: error,
      remedy: 'check that the folder is there and that the agent may write to it and give files away',
    });
  }
}

async function stage(staged: string, sink: SinkConfig, content: Buffer): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(staged, flags, 0o600);
  try {
    const { uid, gid } = ids(sink);
    if (uid !== -1 || gid !== -1) await handle.chown(uid, gid);
    await handle.chmod(sink.mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** -1: as it is. */
function ids({ owner, group, path }: SinkConfig): { uid: number; gid: number } {
  const user = owner === undefined ? undefined : findUser(owner);
  const set = group === undefined ? undefined : findGroup(group);
  const unknown = owner !== undefined && !user ? owner : group !== undefined && !set ? group : undefined;
  if (unknown !== undefined && !/^\d+$/.test(unknown)) {
    throw new LatchkeyError('file_failed', `the sink ${path}: there is no user or group "${unknown}"`, {
      remedy: 'create it, or correct owner and group',
    });
  }
  return {
    uid: user?.uid ?? (owner === undefined ? -1 : Number(owner)),
    gid: set?.gid ?? (group === undefined ? -1 : Number(group)),
  };
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
