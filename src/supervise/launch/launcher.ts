// How a program is started with the right user and with what must hold for every child: no new privileges, and death with
// the agent. setpriv (util-linux) does it; Node's own uid and gid would drop supplementary groups.
import { isAbsolute, resolve } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import { isFile, lookAt } from '../../base/paths/look-at.ts';
import { findGroup, findUser, type UserAccount } from '../../base/system/accounts.ts';
import { isExecutable, placesInPath } from '../../base/system/executable.ts';
import { confined } from '../../base/system/setpriv.ts';
import type { Environment } from './environment.ts';
import { type Handover, handOver } from './handover.ts';

export interface Identity {
  readonly user: UserAccount | undefined;
  readonly groupId: number | undefined;
}

/** Looks the accounts up again at each start. Throws `process_failed` when one does not exist or cannot be taken on. */
export function resolveIdentity(user: string | undefined, group: string | undefined): Identity {
  const account = user === undefined ? undefined : findUser(user);
  if (user !== undefined && account === undefined) {
    throw new LatchkeyError('process_failed', `there is no user ${user}`, {
      remedy: 'create it or correct the name',
    });
  }
  const groupAccount = group === undefined ? undefined : findGroup(group);
  if (group !== undefined && groupAccount === undefined) {
    throw new LatchkeyError('process_failed', `there is no group ${group}`, {
      remedy: 'create it or correct the name',
    });
  }
  const own = { uid: process.getuid?.(), gid: process.getgid?.() };
  const isOther =
    (account !== undefined && account.uid !== own.uid) ||
    (groupAccount !== undefined && groupAccount.gid !== own.gid);
  if (isOther && own.uid !== 0) {
    throw new LatchkeyError('process_failed', 'only root can start a program as another user or group', {
      remedy: 'run the agent as root, or remove user and group',
    });
  }
  return { user: account, groupId: groupAccount?.gid };
}

export interface Launch {
  /** To spawn; the pid stays the program's, as each step replaces itself. */
  readonly words: readonly string[];
  /** Of the first step; empty where that has rights which the program must not have. */
  readonly env: Environment;
  /** What the last step before the program gets over a pipe. */
  readonly handover?: Handover;
}

/**
 * `command` begins with the program's path, or, for another user, with what that user's PATH is to be searched for.
 * A program of the agent's own user has its environment from the start. For another user or group setpriv starts with no
 * environment at all, and the program's own comes after the drop: what it says (LD_PRELOAD, PATH, GLIBC_TUNABLES) must
 * never be in force while anything runs as root.
 */
export function planLaunch(
  command: readonly string[],
  env: Environment,
  identity: Identity,
  setpriv: string | undefined,
): Launch {
  const isChange = isOther(identity);
  if (setpriv === undefined) {
    if (!isChange) return { words: command, env };
    throw new LatchkeyError(
      'process_failed',
      'a program for another user needs setpriv, which this host lacks',
      {
        remedy: 'install util-linux, or remove user and group',
      },
    );
  }
  if (!isChange) return { words: [setpriv, ...confined, '--', ...command], env };
  const { words, handover } = handOver([setpriv, ...confined, '--', ...command], env);
  return { words: [setpriv, ...identityOptions(identity), ...confined, '--', ...words], env: {}, handover };
}

/** Whether root is to be given up for it. */
export function isOther(identity: { readonly user?: unknown; readonly groupId?: unknown }): boolean {
  return isRoot() && (identity.user !== undefined || identity.groupId !== undefined);
}

function identityOptions({ user, groupId }: Identity): string[] {
  if (user === undefined) return ['--regid', String(groupId), '--clear-groups'];
  const gid = groupId ?? user.gid;
  return ['--reuid', String(user.uid), '--regid', String(gid), '--init-groups', '--inh-caps=-all'];
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** There is no program of that name, or it is there and is none. */
export class NoProgramError extends LatchkeyError {
  readonly isThere: boolean;

  constructor(message: string, isThere: boolean, remedy?: string) {
    super('process_failed', message, { remedy });
    this.name = 'NoProgramError';
    this.isThere = isThere;
  }
}

/** The program's path, looked up as execvp does. Throws `process_failed` when there is none. */
export function findProgram(program: string, searchPath: string, workingDir: string | undefined): string {
  if (program.includes('/')) {
    const path = isAbsolute(program) ? program : resolve(workingDir ?? '.', program);
    if (isExecutable(path)) return path;
    const { stats, fault } = lookAt(path);
    const what = fault?.what ?? (stats === undefined ? 'does not exist' : 'is not executable');
    throw new NoProgramError(`${path} ${what}`, stats !== undefined, fault?.remedy);
  }
  const places = placesInPath(program, searchPath);
  const found = places.find(isExecutable);
  if (found !== undefined) return found;
  const isThere = places.some(isFile);
  const what = isThere
    ? `${program} in ${searchPath} is not executable`
    : `there is no program ${program} in ${searchPath}`;
  throw new NoProgramError(what, isThere, 'write its whole path');
}
