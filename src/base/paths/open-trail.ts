// Opens files that grow for good, logs and the audit trail, in folders that nobody else can write: what is appended goes to
// a file of ours alone, whoever else may have names there.
import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { findUser } from '../system/accounts.ts';
import { type HeldEntry, type HeldFolder, holdEntrySync, holdFolderSync } from './held-folder.ts';
import { lookAt } from './look-at.ts';
import { PathFault, type PathTrust, trusting } from './path-trust.ts';
import { entryFault, pathIn } from './walk-path.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** The kernel's own names for what this process, or another one, has open: links that only the kernel can follow. */
const kernelName = /^\/(?:dev\/(?:stdin|stdout|stderr|fd\/\d+)|proc\/.*)$/;

/** The folder of a trail, to open, rename and remove what is in it. Throws a PathFault, or what the kernel says. */
export function holdTrailFolder(path: string, createMode?: number): HeldFolder {
  const options = createMode === undefined ? {} : { createMode };
  return held((trust) => holdFolderSync(dirname(path), { trust, ...options }));
}

/** A name in a folder that is held; a link there is refused. What is made has 0600. */
export function openInTrail(folder: HeldFolder, name: string, use: 'append' | 'read'): number {
  const access = use === 'append' ? O_RDWR | O_APPEND | O_CREAT : O_RDONLY;
  return openChecked({ folder, name, existing: undefined }, access, 0o600);
}

/** For what only appends; links of root's are followed. Devices and pipes are what their maker wants them for. */
export function openLog(path: string, mode: number): number {
  if (kernelName.test(path)) return openSync(path, O_WRONLY | O_APPEND | O_CREAT, mode);
  const entry = held((trust) => holdEntrySync(path, { trust }));
  try {
    return openChecked(entry, O_WRONLY | O_APPEND | O_CREAT, mode);
  } finally {
    entry.folder.release();
  }
}

/** The host's own log daemon may write /var/log on some of them; it reads what is logged anyway. */
function held<T>(hold: (trust: PathTrust) => T): T {
  try {
    return hold(trusting());
  } catch (error) {
    // Only now: where there is no such user, to ask for it costs a process.
    const daemon = error instanceof PathFault ? findUser('syslog')?.uid : undefined;
    if (daemon === undefined) throw error;
    return hold(trusting(daemon));
  }
}

function openChecked({ folder, name }: HeldEntry, access: number, mode: number): number {
  const path = folder.entry(name);
  let fd: number;
  try {
    fd = openSync(path, access | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (error) {
    // What another user put into a folder that all can write, the kernel itself may refuse (fs.protected_regular, _fifos).
    const { stats } = lookAt(path, 'kept');
    throw (stats && trailFault(folder, name, stats)) ?? error;
  }
  const wrong = trailFault(folder, name, fstatSync(fd));
  if (wrong === undefined) return fd;
  closeSync(fd);
  throw wrong;
}

function trailFault(folder: HeldFolder, name: string, stats: Stats): Error | undefined {
  if (!stats.isFile() || stats.nlink <= 1) return entryFault(folder, name, stats, trusting());
  const path = pathIn(folder.path, name);
  return new PathFault(`${path} is a file with ${stats.nlink} names`, `remove ${path}`);
}
