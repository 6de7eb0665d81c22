// Owner and mode of what can be opened for nothing else, a socket: by its descriptor, whatever becomes of its name.
import { chmodSync, chownSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { HeldFolder } from './held-folder.ts';
import { PathFault } from './path-trust.ts';
import { openPath, pathIn } from './walk-path.ts';

/** Owner first: with the final mode in place first, the agent's own group could connect for a moment. -1: as it is. */
export function setSocketRights(
  folder: HeldFolder,
  name: string,
  rights: { readonly uid: number; readonly gid: number; readonly mode: number },
): void {
  const fd = openSync(folder.entry(name), openPath | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(fd).isSocket())
      throw new PathFault(`${pathIn(folder.path, name)} is not the socket any more`, 'it is tried again');
    // This name leads to what was opened.
    const opened = `/proc/self/fd/${fd}`;
    if (rights.uid !== -1 || rights.gid !== -1) chownSync(opened, rights.uid, rights.gid);
    chmodSync(opened, rights.mode & 0o777);
  } finally {
    closeSync(fd);
  }
}
