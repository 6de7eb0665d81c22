// Names of users and groups to ids and back: /etc/passwd and /etc/group as files (0.1 ms), and `getent` for what only
// NSS knows (LDAP, systemd's dynamic users; 3 ms). Nothing is cached: an account may come or go while the agent runs.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findSystemProgram } from './system-program.ts';

export interface UserAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

export interface GroupAccount {
  readonly name: string;
  readonly gid: number;
}

/** By name, or by uid in decimal; undefined when there is none. */
export function findUser(nameOrUid: string): UserAccount | undefined {
  const fields = findRecord('passwd', nameOrUid);
  if (fields === undefined) return undefined;
  const [name = '', , uid, gid, , home = '/', shell = '/bin/sh'] = fields;
  return { name, uid: Number(uid), gid: Number(gid), home, shell };
}

/** By name, or by gid in decimal; undefined when there is none. */
export function findGroup(nameOrGid: string): GroupAccount | undefined {
  const fields = findRecord('group', nameOrGid);
  return fields === undefined ? undefined : { name: fields[0] ?? '', gid: Number(fields[2]) };
}

/** The ids alone, by the names that rules have. */
export const accountIds = {
  uidOf: (user: string): number | undefined => findUser(user)?.uid,
  gidOf: (group: string): number | undefined => findGroup(group)?.gid,
};

/** The ids of all groups that a user is a member of, their own first; empty when there is no such user. */
export function groupsOfUser(name: string): number[] {
  const { status, stdout } = ask('id', ['-G', '--', name]);
  return status === 0 ? stdout.trim().split(' ').map(Number) : [];
}

/**
 * The uids of all who are in a group, by its list or as their own group; undefined for what cannot be known. Users whom
 * only NSS knows and who have it as their own group are not seen.
 */
export function groupMembers(gid: number): number[] | undefined {
  const record = findRecord('group', String(gid));
  // Of a bare number anybody may have been started with it.
  if (record === undefined) return undefined;
  const [, , , list = ''] = record;
  const listed = list
    .split(',')
    .filter(Boolean)
    .map((name) => findUser(name)?.uid);
  const own = readDatabase('passwd')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields[3] === String(gid))
    .map((fields) => Number(fields[2]));
  const members = [...listed, ...own];
  return members.includes(undefined) ? undefined : members.filter((uid) => uid !== undefined);
}

function findRecord(database: 'passwd' | 'group', key: string): string[] | undefined {
  if (key === '' || /[:\n]/.test(key)) return undefined;
  return matchRecord(readDatabase(database), key) ?? matchRecord(askNss(database, key), key);
}

function matchRecord(text: string, key: string): string[] | undefined {
  const isNumber = /^\d+$/.test(key);
  let byId: string[] | undefined;
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    if (fields[0] === key && fields.length > 2) return fields;
    if (isNumber && fields[2] === key) byId ??= fields;
  }
  return byId;
}

function readDatabase(database: string): string {
  try {
    return readFileSync(`/etc/${database}`, 'utf8');
  } catch {
    return ''; // an image without the file has no accounts of its own
  }
}

function askNss(database: string, key: string): string {
  const answer = ask('getent', [database, '--', key]);
  return answer.status === 0 ? answer.stdout : '';
}

function ask(
  name: string,
  args: readonly string[],
): { readonly status: number | null; readonly stdout: string } {
  const program = findSystemProgram(name);
  if (program === undefined) return { status: null, stdout: '' };
  return spawnSync(program, args, { encoding: 'utf8', timeout: 5000, env: {} });
}
