// Puts new bytes next to their destination, or in the folder that is named for it, with the right owner and mode before the
// first byte, or finds that the destination has them already and only mends its owner and mode. Nothing here touches a
// destination's bytes.

import fs, { constants, fstatSync } from 'node:fs';
import { type FileHandle, open as openHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { LatchkeyError } from '../../base/errors.ts';
import { readUpTo, readUpToSync } from '../../base/paths/controlled-file.ts';
import type { WrittenPrint } from '../../base/paths/file-print.ts';
import { type HeldFolder, holdFolder } from '../../base/paths/held-folder.ts';
import { leftoverName } from '../../base/paths/leftover-name.ts';
import { closeThere, isLocalDevice, openThere } from '../../base/paths/local-device.ts';
import { type PathTrust, trusting } from '../../base/paths/path-trust.ts';
import { pathIn } from '../../base/paths/walk-path.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { keyAt } from '../../base/text/key-at.ts';
import { refuseBorrowed } from './copy-file.ts';
import { atDestination, type Destination, type FolderIdentity, inFolder } from './destination.ts';
import { toFileError } from './file-error.ts';
import { isStuck, removeMomentary, removeStuck } from './stuck-leftover.ts';

/** What is to be at a destination. */
export interface Output {
  /** `files[2]` */
  readonly place: string;
  readonly destination: string;
  readonly bytes: Buffer;
  readonly mode: number;
  /** Absent: as it comes, the agent's own. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** The folder to stage it in; absent: that of the destination. */
  readonly staging?: string | undefined;
  readonly createParents: boolean;
  /** Its links were followed before, and none may come after. */
  readonly isReal?: boolean;
  /** Served as a named pipe. */
  readonly isPipe?: boolean;
  readonly inPlace: boolean;
  readonly backup: boolean;
}

export interface StagedFile {
  readonly place: string;
  readonly destination: string;
  readonly target: Destination;
  /** The staged file: beside the destination, in `staging`, or in the spare folder. */
  readonly home: Home;
  /** The same as a path, for checks. */
  readonly path: string;
  readonly inPlace: boolean;
  readonly backup: boolean;
  readonly identity: WrittenPrint;
}

export interface Home {
  readonly folder: string;
  readonly name: string;
  readonly trust: PathTrust;
  readonly identity: FolderIdentity | undefined;
}

export interface SameFile {
  readonly destination: string;
  /** What links of it led to. */
  readonly realPath: string;
  readonly wasMended: boolean;
  readonly identity: WrittenPrint;
}

interface StageOptions {
  /** Where an in-place file is staged whose own folder cannot be written. */
  readonly spareFolder: string | undefined;
  /** Stage a copy even when the destination has the bytes already (a rehearsal). */
  readonly always?: boolean;
}

// By the descriptor: a handle of Node's own costs as much as what is done with it.
const open = promisify(fs.open);
const writeSome = promisify(fs.write);
const syncFile = promisify(fs.fsync);
const changeOwner = promisify(fs.fchown);
const changeMode = promisify(fs.fchmod);

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_SYNC, O_WRONLY } = constants;
/** What a write returns from is on disk, owner and mode too: one call of a thread of the pool where fsync(2) would be another. */
const newFile = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_SYNC;
/** A file of more takes longer to read than a thread of the pool to be woken. */
const mostReadAtOnce = 64 * 1024;
const modeBits = 0o7777;
/** No secret is a program that runs with another's rights. */
const plainModeBits = 0o777;
const stagingMode = 0o700;

/** Throws `file_failed`, and leaves nothing behind then. */
export function stageOutput(output: Output, options: StageOptions): Promise<StagedFile | SameFile> {
  return atDestination(output, async (target, folder) => {
    const same = options.always === true ? undefined : await sameFile(target, folder, output.bytes);
    if (same !== undefined) {
      const wasMended = await mend(output, target, folder);
      const identity = wasMended ? { ...same, ...wishedAttributes(output, same) } : same;
      return { destination: output.destination, realPath: target.path, wasMended, identity };
    }
    const { place, destination, inPlace, backup } = output;
    const { home, identity } =
      output.staging === undefined
        ? await writeBeside(output, target, folder, options.spareFolder)
        : await writeAside(output, output.staging, target);
    return {
      place,
      destination,
      target,
      home,
      path: pathIn(home.folder, home.name),
      inPlace,
      backup,
      identity,
    };
  });
}

export function isStaged(result: StagedFile | SameFile): result is StagedFile {
  return 'path' in result;
}

/** Removes a staged file; one that is gone already is fine. */
export async function discardStaged({ home }: Pick<StagedFile, 'home'>): Promise<void> {
  // Of a folder that is gone nothing is left.
  await inFolder(home, (folder) => removeMomentary(folder, home.name)).catch(() => undefined);
}

/** Whether the destination has these bytes. Throws `file_failed` when it cannot hold a file. */
export function isInPlace(output: Output): Promise<boolean> {
  return atDestination(
    output,
    async (target, folder) => (await sameFile(target, folder, output.bytes)) !== undefined,
  );
}

/** The file that has these bytes. */
async function sameFile(
  target: Destination,
  folder: HeldFolder,
  bytes: Buffer,
): Promise<WrittenPrint | undefined> {
  if (!target.existing?.isFile() || target.existing.size !== bytes.length) return undefined;
  const isAtOnce = isLocalDevice(target.existing.dev) && bytes.length <= mostReadAtOnce;
  let fd: number | undefined;
  try {
    fd = await openThere(folder.entry(target.name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, isAtOnce);
    refuseBorrowed({ folder, name: target.name }, fd);
    const identity = identityOf(fd);
    const most = bytes.length + 1;
    const there = isAtOnce ? readUpToSync(fd, most) : await readUpTo(fd, most);
    return there.equals(bytes) ? identity : undefined;
  } catch {
    // Unreadable to us, or a second name of another file: write a new one, and let that tell what is wrong.
    return undefined;
  } finally {
    if (fd !== undefined) await closeThere(fd, isAtOnce);
  }
}

async function mend(output: Output, target: Destination, folder: HeldFolder): Promise<boolean> {
  const { existing } = target;
  if (existing === undefined) return false;
  const wrongOwner =
    existing.uid !== (output.uid ?? existing.uid) || existing.gid !== (output.gid ?? existing.gid);
  if (!wrongOwner && (existing.mode & modeBits) === output.mode) return false;
  let handle: FileHandle | undefined;
  try {
    handle = await openHandle(folder.entry(target.name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    // Of the file that was compared, and of no other that came in its place.
    const { dev, ino } = await handle.stat();
    if (dev !== existing.dev || ino !== existing.ino) return false;
    refuseBorrowed({ folder, name: target.name }, handle.fd);
    await setAttributes(handle.fd, output);
    return true;
  } catch (error) {
    throw toFileError(error, { place: output.place, path: target.path, verb: 'set the owner and mode of' });
  } finally {
    await handle?.close();
  }
}

async function writeBeside(
  output: Output,
  target: Destination,
  folder: HeldFolder,
  spareFolder: string | undefined,
): Promise<{ home: Home; identity: WrittenPrint }> {
  const context = { place: keyAt(output.place, 'destination'), path: output.destination, verb: 'write' };
  const { trust, identity } = target;
  try {
    const { name, identity: written } = await writeStaged(folder, output);
    return { home: { folder: folder.path, trust, identity, name }, identity: written };
  } catch (error) {
    const code = errnoOf(error);
    const isClosed = code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
    if (!output.inPlace || !isClosed || spareFolder === undefined) throw toFileError(error, context);
  }
  const spare = { folder: spareFolder, trust: trusting(), identity: undefined };
  try {
    const { name, identity: written } = await inFolder(spare, (held) => writeStaged(held, output));
    return { home: { ...spare, name }, identity: written };
  } catch (error) {
    throw toFileError(error, { ...context, path: spareFolder });
  }
}

/** Modes of the staged file are those of the destination: the folder alone keeps it from those who may not see it yet. */
async function writeAside(
  output: Output,
  staging: string,
  target: Destination,
): Promise<{ home: Home; identity: WrittenPrint }> {
  const { trust } = target;
  const place = keyAt(output.place, 'staging');
  let held: HeldFolder | undefined;
  try {
    held = await holdFolder(staging, { trust, createMode: stagingMode });
    const isCopied = output.inPlace && target.existing !== undefined;
    if (!isCopied && held.stats.dev !== target.identity.dev) throw otherFileSystem(place, staging, target);
    const { name, identity: written } = await writeStaged(held, output);
    const { path, stats } = held;
    const identity = { dev: stats.dev, ino: stats.ino };
    return { home: { folder: path, trust, identity, name }, identity: written };
  } catch (error) {
    throw toFileError(error, { place, path: staging, verb: 'stage in' });
  } finally {
    held?.release();
  }
}

export function otherFileSystem(place: string, staging: string, { folder }: Destination): LatchkeyError {
  return new LatchkeyError(
    'file_failed',
    `${place}: ${staging} is on another file system or mount than ${folder}, and no file can be renamed from the one to the other`,
    { remedy: 'choose a folder on the file system of the destination' },
  );
}

async function writeStaged(
  folder: HeldFolder,
  output: Output,
): Promise<{ name: string; identity: WrittenPrint }> {
  if (isStuck(folder)) await removeStuck(folder);
  const name = leftoverName('staged', output.destination);
  const fd = await open(folder.entry(name), newFile, firstMode(output));
  try {
    let identity: WrittenPrint;
    try {
      // As it was made where nothing took of its mode: no umask, no default of the folder.
      if (isGiven(output) || (fstatSync(fd).mode & modeBits) !== (output.mode & plainModeBits))
        await setAttributes(fd, output);
      await writeWhole(fd, output.bytes);
      identity = identityOf(fd);
    } finally {
      await closeThere(fd, isLocalDevice(folder.stats.dev));
    }
    return { name, identity };
  } catch (error) {
    await removeMomentary(folder, name);
    throw toFileError(error, { place: output.place, path: output.destination, verb: 'write' });
  }
}

function isGiven({ uid, gid }: Output): boolean {
  return uid !== undefined || gid !== undefined;
}

/** Empty, it may be opened by only those who are to read what comes: not by the group that it has before it is given away. */
function firstMode(output: Output): number {
  return isGiven(output) ? 0o600 : output.mode & plainModeBits;
}

async function writeWhole(fd: number, bytes: Buffer): Promise<void> {
  if (bytes.length === 0) return syncFile(fd);
  for (let done = 0; done < bytes.length; ) {
    done += (await writeSome(fd, bytes, done, bytes.length - done)).bytesWritten;
  }
}

/** Without a thread of the pool: of an open file the kernel knows this. */
function identityOf(fd: number): WrittenPrint {
  const { dev, ino, size, mtimeNs, mode, uid, gid } = fstatSync(fd, { bigint: true });
  return { dev, ino, size, mtimeNs, mode, uid, gid };
}

function wishedAttributes(output: Output, now: WrittenPrint): Pick<WrittenPrint, 'mode' | 'uid' | 'gid'> {
  return {
    mode: (now.mode & ~BigInt(modeBits)) | BigInt(output.mode & plainModeBits),
    uid: output.uid === undefined ? now.uid : BigInt(output.uid),
    gid: output.gid === undefined ? now.gid : BigInt(output.gid),
  };
}

async function setAttributes(fd: number, output: Output): Promise<void> {
  // -1 leaves the one that is not named as it is (chown(2)).
  if (isGiven(output)) await changeOwner(fd, output.uid ?? -1, output.gid ?? -1);
  await changeMode(fd, output.mode & plainModeBits);
}
