// The token of a TCP listener: 32 random bytes in a file for those who may show it, kept over restarts while nobody else
// could have read or written it.

import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { PathFault, pathErrorText, trusting } from '../../base/paths/path-trust.ts';
import { replaceFileSync } from '../../base/paths/replace-file.ts';
import { findGroup, findUser } from '../../base/system/accounts.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { TokenFileRights } from '../../config/resolved.ts';

const wellFormed = /^[A-Za-z0-9_-]{43}$/;
const ownRights: TokenFileRights = { owner: undefined, group: undefined, mode: 0o600 };

interface TokenFileOptions {
  readonly rights?: TokenFileRights | undefined;
  readonly current?: string | undefined;
}

interface Rights {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly mode: number;
}

/** The token's text: what is in the file, else `current`, else a new one. Throws `listener_failed` when the file cannot be written. */
export function provideTokenFile(
  place: string,
  path: string,
  { rights: wanted = ownRights, current }: TokenFileOptions = {},
): string {
  const rights = rightsOf(place, wanted);
  const known = readOwnToken(path, rights);
  if (known?.isAsWanted === true) return known.token;
  const token = known?.token ?? current ?? randomBytes(32).toString('base64url');
  try {
    const trust = trusting(rights.uid);
    replaceFileSync(path, token, { ...rights, createMode: 0o755, sweeps: true, trust });
  } catch (error) {
    throw new LatchkeyError(
      'listener_failed',
      `${keyAt(place, 'token_file')}: cannot write ${path}: ${pathErrorText(error)}`,
      {
        cause: error,
        remedy:
          error instanceof PathFault ? error.remedy : 'name a file in a folder that the agent may write to',
      },
    );
  }
  return token;
}

function rightsOf(place: string, { owner, group, mode }: TokenFileRights): Rights {
  const user = owner === undefined ? undefined : findUser(owner);
  if (owner !== undefined && user === undefined) throw unknown(place, 'owner', 'user', owner);
  const found = group === undefined ? undefined : findGroup(group);
  if (group !== undefined && found === undefined) throw unknown(place, 'group', 'group', group);
  return { uid: user?.uid, gid: found?.gid, mode };
}

function unknown(place: string, key: string, kind: string, name: string): LatchkeyError {
  return new LatchkeyError(
    'listener_failed',
    `${keyAt(place, `token_file.${key}`)}: there is no ${kind} ${JSON.stringify(name)}`,
  );
}

/** Only from a regular file that none but those it is for may read; with the rights of before a change of them it goes on too. */
function readOwnToken(path: string, rights: Rights): { token: string; isAsWanted: boolean } | undefined {
  try {
    const { bytes, stats } = readControlledFileSync(path, { trust: trusting(rights.uid) });
    const isAsWanted = hasRights(stats, rights);
    const isOurs = stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0;
    if ((!isAsWanted && !isOurs) || stats.nlink !== 1) return undefined;
    const token = bytes.toString('latin1').trim();
    return wellFormed.test(token) ? { token, isAsWanted } : undefined;
  } catch {
    // Not there, or none of ours: a new one is written over it.
    return undefined;
  }
}

function hasRights(stats: Stats, { uid, gid, mode }: Rights): boolean {
  const owner = uid ?? process.geteuid?.();
  const group = gid ?? process.getegid?.();
  return stats.uid === owner && stats.gid === group && (stats.mode & 0o777) === mode;
}
