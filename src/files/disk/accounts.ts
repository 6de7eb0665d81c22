// Owners and groups of files as ids. Asked again all the time, because accounts come and go while the agent runs; only a
// thousand files of one owner at one moment ask once.

import { LatchkeyError } from '../../base/errors.ts';
import { findGroup, findUser } from '../../base/system/accounts.ts';
import type { Clock } from '../../base/time/clock.ts';

export interface Accounts {
  /** The id of a user by name or number; throws `file_failed` when there is none. `place` is for the message. */
  uid(nameOrId: string, place: string): number;
  gid(nameOrId: string, place: string): number;
}

interface AccountOptions {
  readonly clock: Clock;
  /** For tests; default: this host's. */
  readonly findUser?: (name: string) => { readonly uid: number } | undefined;
  readonly findGroup?: (name: string) => { readonly gid: number } | undefined;
}

const rememberedMs = 1000;
const largestId = 2 ** 32 - 2;

export function createAccounts(options: AccountOptions): Accounts {
  const { clock } = options;
  const users = remember((name) => (options.findUser ?? findUser)(name)?.uid, clock);
  const groups = remember((name) => (options.findGroup ?? findGroup)(name)?.gid, clock);
  return {
    uid: (nameOrId, place) => idOf('user', nameOrId, users, place),
    gid: (nameOrId, place) => idOf('group', nameOrId, groups, place),
  };
}

/** A number needs no account. */
function idOf(
  kind: 'user' | 'group',
  nameOrId: string,
  find: (name: string) => number | undefined,
  place: string,
): number {
  if (/^\d+$/.test(nameOrId) && Number(nameOrId) <= largestId) return Number(nameOrId);
  const id = find(nameOrId);
  if (id !== undefined) return id;
  throw new LatchkeyError(
    'file_failed',
    `${place}: no ${kind} named ${JSON.stringify(nameOrId)} on this host`,
    { remedy: `create the ${kind}, or name one that exists` },
  );
}

function remember(
  find: (name: string) => number | undefined,
  clock: Clock,
): (name: string) => number | undefined {
  const known = new Map<string, { readonly id: number; readonly until: number }>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined && clock.now() < found.until) return found.id;
    const id = find(name);
    if (id === undefined) known.delete(name);
    else known.set(name, { id, until: clock.now() + rememberedMs });
    return id;
  };
}
