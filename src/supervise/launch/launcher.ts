// How a program is started with the right user and with what must hold for every child: no new privileges, and death with
// the agent. setpriv (util-linux) does it; Node's own uid and gid would drop supplementary groups and keep group 0.
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { findGroup, findUser, type UserAccount } from '../../base/accounts.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { isExecutable } from '../../base/executable.ts';

export interface Identity {
  readonly user: UserAccount | undefined;
  readonly groupId: number | undefined;
}

/** Looks the accounts up anew at each start. Throws `process_failed` when one does not exist or cannot be taken on. */
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

/** What the setpriv of this host can do: busybox has one that can do next to nothing. */
export type Setpriv = 'full' | 'missing';

let probed: Promise<Setpriv> | undefined;

/** Asks once; the answer holds while the agent runs. */
export function probeSetpriv(): Promise<Setpriv> {
  probed ??= new Promise((resolve) => {
    execFile('setpriv', ['--help'], { timeout: 5000 }, (error, stdout) => {
      const canAll = ['--reuid', '--init-groups', '--no-new-privs', '--pdeathsig'].every((option) =>
        stdout.includes(option),
      );
      resolve(error === null && canAll ? 'full' : 'missing');
    });
  });
  return probed;
}

/** The words to start; the pid stays the program's, as setpriv replaces itself. */
export function launchWords(command: readonly string[], identity: Identity, setpriv: Setpriv): string[] {
  const { user, groupId } = identity;
  const isChange = user !== undefined || groupId !== undefined;
  if (setpriv === 'missing') {
    if (!isChange || !isRoot()) return [...command];
    throw new LatchkeyError(
      'process_failed',
      'a program for another user needs setpriv, which this host lacks',
      {
        remedy: 'install util-linux, or remove user and group',
      },
    );
  }
  return ['setpriv', ...identityOptions(identity), '--no-new-privs', '--pdeathsig', 'KILL', '--', ...command];
}

function identityOptions({ user, groupId }: Identity): string[] {
  if (!isRoot()) return []; // resolveIdentity has seen to it that nothing is to change
  if (user !== undefined) {
    const gid = groupId ?? user.gid;
    return ['--reuid', String(user.uid), '--regid', String(gid), '--init-groups', '--inh-caps=-all'];
  }
  return groupId === undefined ? [] : ['--regid', String(groupId), '--clear-groups'];
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The program's path, looked up as execvp does. Throws `process_failed` when there is none. */
export function findProgram(program: string, searchPath: string, workingDir: string | undefined): string {
  if (program.includes('/')) {
    const path = isAbsolute(program) ? program : resolve(workingDir ?? '.', program);
    if (isExecutable(path)) return path;
    const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
    throw new LatchkeyError('process_failed', `${path} ${exists ? 'is not executable' : 'does not exist'}`);
  }
  for (const folder of searchPath.split(delimiter)) {
    const path = join(folder === '' ? '.' : folder, program);
    if (isExecutable(path)) return path;
  }
  throw new LatchkeyError('process_failed', `there is no program ${program} in ${searchPath}`, {
    remedy: 'write its whole path',
  });
}
