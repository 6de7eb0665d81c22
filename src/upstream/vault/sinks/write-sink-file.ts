// Writes the file of a sink: owner and mode are right before the first byte is there, and the old file stays whole until then.

import type { BigIntStats } from 'node:fs';
import { LatchkeyError } from '../../../base/errors.ts';
import { PathFault, pathErrorText } from '../../../base/paths/path-trust.ts';
import { replaceFile } from '../../../base/paths/replace-file.ts';
import { findGroup, findUser } from '../../../base/system/accounts.ts';
import type { SinkConfig } from '../config/vault-config.ts';

/** Resolves to what the new file is. Throws `file_failed` that names the path. */
export async function writeSinkFile(sink: SinkConfig, content: Buffer): Promise<BigIntStats> {
  const { path, mode } = sink;
  const { uid, gid } = ids(sink);
  try {
    return await replaceFile(path, content, { uid, gid, mode, sweeps: true });
  } catch (error) {
    throw new LatchkeyError('file_failed', `the sink ${path} cannot be written (${pathErrorText(error)})`, {
      cause: error,
      remedy:
        error instanceof PathFault
          ? error.remedy
          : 'check that the folder is there and that the agent may write to it and give files away',
    });
  }
}

/** Undefined: as it is. */
function ids({ owner, group, path }: SinkConfig): { uid: number | undefined; gid: number | undefined } {
  const user = owner === undefined ? undefined : findUser(owner);
  const set = group === undefined ? undefined : findGroup(group);
  const unknown = owner !== undefined && !user ? owner : group !== undefined && !set ? group : undefined;
  if (unknown !== undefined && !/^\d+$/.test(unknown)) {
    throw new LatchkeyError('file_failed', `the sink ${path}: there is no user or group "${unknown}"`, {
      remedy: 'create it, or correct owner and group',
    });
  }
  return {
    uid: user?.uid ?? (owner === undefined ? undefined : Number(owner)),
    gid: set?.gid ?? (group === undefined ? undefined : Number(group)),
  };
}
