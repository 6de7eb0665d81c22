// Names of users and groups to ids: /etc/passwd and /etc/group parsed when they changed, getent for what other sources of
// the name service know. Asked anew for each write, because accounts come and go while the agent runs.
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { LatchkeyError } from '../base/errors.ts';

export interface Accounts {
  /** The id of a user by name or number; throws `file_failed` when there is none. `place` is for the message. */
  uid(nameOrId: string, place: string): Promise<number>;
  gid(nameOrId: string, place: string): Promise<number>;
}

interface AccountOptions {
  passwdPath?: string;
  groupPath?: string;
  /** Ask getent for what the files do not know (default true). */
  useGetent?: boolean;
}

type Database = 'passwd' | 'group';

const getentTimeoutMs = 5000;
const largestId = 2 ** 32 - 2;

export function createAccounts(options: AccountOptions = {}): Accounts {
  const passwd = createTable(options.passwdPath ?? '/etc/passwd');
  const group = createTable(options.groupPath ?? '/etc/group');

  async function resolve(database: Database, nameOrId: string, place: string): Promise<number> {
    if (/^\d+$/.test(nameOrId) && Number(nameOrId) <= largestId) return Number(nameOrId);
    const known = await (database === 'passwd' ? passwd : group)(nameOrId);
    const id = known ?? (options.useGetent === false ? undefined : await askGetent(database, nameOrId));
    if (id !== undefined) return id;
    const kind = database === 'passwd' ? 'user' : 'group';
    throw new LatchkeyError(
      'file_failed',
      `${place}: no ${kind} named ${JSON.stringify(nameOrId)} on this host`,
      {
        remedy: `create the ${kind}, or name one that exists`,
      },
    );
  }

  return {
    uid: (nameOrId, place) => resolve('passwd', nameOrId, place),
    gid: (nameOrId, place) => resolve('group', nameOrId, place),
  };
}

/** Looks ids up in a file of `name:x:id:…` lines, read again when its time or size differs. */
function createTable(path: string): (name: string) => Promise<number | undefined> {
  let stamp = '';
  let ids = new Map<string, number>();
  return async (name) => {
    const stats = await stat(path, { bigint: true }).catch(() => undefined);
    if (stats === undefined) return undefined;
    const now = `${stats.mtimeNs} ${stats.size} ${stats.ino}`;
    if (now !== stamp) {
      ids = parseTable(await readFile(path, 'utf8').catch(() => ''));
      stamp = now;
    }
    return ids.get(name);
  };
}

function parseTable(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id && /^\d+$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}

function askGetent(database: Database, name: string): Promise<number | undefined> {
  if (name === '' || name.startsWith('-')) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    execFile('getent', [database, name], { timeout: getentTimeoutMs }, (error, stdout) => {
      const id = error === null ? parseTable(stdout).values().next().value : undefined;
      resolve(id);
    });
  });
}
