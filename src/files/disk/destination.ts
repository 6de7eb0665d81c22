// Where the bytes of a file really go: follows a symlinked destination to its target, makes parents on request, refuses
// folders, devices and sockets, and what strangers have a hand in. Looks only; writing is for stage and commit.
import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type HeldFolder, holdEntry, holdFolder } from '../../base/paths/held-folder.ts';
import { isLocalDevice } from '../../base/paths/local-device.ts';
import { PathFault, type PathTrust, trusting } from '../../base/paths/path-trust.ts';
import { specialFileFault } from '../../base/paths/special-file.ts';
import { pathIn } from '../../base/paths/walk-path.ts';
import { keyAt } from '../../base/text/key-at.ts';
import { toFileError } from './file-error.ts';

export interface Destination {
  /** What is written: the destination itself, or what its links lead to. */
  readonly path: string;
  readonly folder: string;
  readonly name: string;
  readonly trust: PathTrust;
  /** Of the folder: one that was put in its place is refused. */
  readonly identity: FolderIdentity;
  /** What is there now, links followed; undefined: nothing. */
  readonly existing: Stats | undefined;
}

export interface FolderIdentity {
  readonly dev: number;
  readonly ino: number;
}

interface Wish {
  readonly place: string;
  readonly destination: string;
  readonly createParents: boolean;
  /** Whose the file is to be: they may have a hand in its path too. */
  readonly uid: number | undefined;
  /** It has no links: see WalkOptions. */
  readonly isReal?: boolean;
  /** A named pipe is to be there. */
  readonly isPipe?: boolean;
}

const parentMode = 0o755;

/** Throws `file_failed` when the destination cannot hold a file. */
export function findDestination(wish: Wish): Promise<Destination> {
  return atDestination(wish, async (destination) => destination);
}

/** Does something while the folder is held. */
export async function atDestination<T>(
  wish: Wish,
  work: (destination: Destination, folder: HeldFolder) => Promise<T>,
): Promise<T> {
  const trust = trusting(wish.uid);
  const options = {
    trust,
    isReal: wish.isReal === true,
    ...(wish.createParents ? { createMode: parentMode } : {}),
  };
  try {
    const { folder, name, existing } = await holdEntry(wish.destination, options);
    try {
      const path = pathIn(folder.path, name);
      const special = existing && specialFileFault(path, existing, wish.isPipe);
      if (special !== undefined) throw special;
      const { dev, ino } = folder.stats;
      const identity = { dev, ino };
      return await work({ path, folder: folder.path, name, trust, identity, existing }, folder);
    } finally {
      folder.release();
    }
  } catch (error) {
    throw toFileError(error, {
      place: keyAt(wish.place, 'destination'),
      path: wish.destination,
      verb: 'write',
    });
  }
}

/** Does something in a folder that was found before; refuses another one in its place. */
export async function inFolder<T>(
  place: {
    readonly folder: string;
    readonly trust: PathTrust;
    readonly identity?: FolderIdentity | undefined;
  },
  work: (folder: HeldFolder) => Promise<T>,
): Promise<T> {
  const { identity } = place;
  const folder = await holdFolder(place.folder, { trust: place.trust });
  try {
    if (identity !== undefined && !(await isStill(identity, place.folder, folder))) {
      throw new PathFault(`another folder was put in the place of ${place.folder}`, 'it is tried again');
    }
    return await work(folder);
  } finally {
    folder.release();
  }
}

/** Of the path too: what is held may have been moved away. */
async function isStill(identity: FolderIdentity, path: string, { stats }: HeldFolder): Promise<boolean> {
  const now = isLocalDevice(identity.dev) ? statSync(path) : await stat(path);
  return [stats, now].every(({ dev, ino }) => dev === identity.dev && ino === identity.ino);
}
