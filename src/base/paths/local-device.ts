// Which file systems are this host's own: there a look at a file waits for no network, so it is done at once. A thread of the
// pool costs ten times as much as such a look, and is for what may take long.
import fs from 'node:fs';
import { promisify } from 'node:util';
import { BoundedMap } from '../bounded-map.ts';

/** By statfs(2): ext2 to ext4, XFS, Btrfs, tmpfs, ramfs, overlay, ZFS, F2FS. All others may be a network's or a program's. */
const localTypes: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x858458f6, 0x794c7630, 0x2fc12fc1, 0xf2f52010,
]);

/** A number is given again to the next file system that is mounted. */
const rememberedMs = 5000;
const known = new BoundedMap<number, { readonly isLocal: boolean; readonly until: number }>(256);
const statfs = promisify(fs.statfs);
const openInPool = promisify(fs.open);
const closeInPool = promisify(fs.close);

/** Finds out about the file system of a folder that is held; never throws. */
export async function learnDevice({ fd, dev }: { readonly fd: number; readonly dev: number }): Promise<void> {
  const before = known.get(dev);
  if (before !== undefined && performance.now() < before.until) return;
  const isLocal = await statfs(`/proc/self/fd/${fd}`).then(
    ({ type }) => localTypes.has(type),
    () => false,
  );
  known.set(dev, { isLocal, until: performance.now() + rememberedMs });
}

/** Opens what is there; at once where that waits for nobody. */
export async function openThere(path: string, flags: number, isAtOnce: boolean): Promise<number> {
  return isAtOnce ? fs.openSync(path, flags) : await openInPool(path, flags);
}

/** Of a network the close itself may take long, and fail. */
export async function closeThere(fd: number, isAtOnce: boolean): Promise<void> {
  if (isAtOnce) fs.closeSync(fd);
  else await closeInPool(fd);
}

/** `dev` as stat(2) gives it; false where nothing is known of it. */
export function isLocalDevice(dev: number | bigint): boolean {
  return known.get(Number(dev))?.isLocal === true;
}
