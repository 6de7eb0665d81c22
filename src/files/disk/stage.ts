// Puts new bytes next to their destination, with the right owner and mode before the first byte, or finds that the
// destination has them already and only mends its owner and mode. Nothing here touches a destination's bytes.

import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../base/errno.ts';
import { type Destination, findDestination } from './destination.ts';
import { toFileError } from './file-error.ts';
import { leftoverName } from './leftover.ts';

/** What shall be at a destination. */
export interface Output {
  /** `files[2]` */
  readonly place: string;
  readonly destination: string;
  readonly bytes: Buffer;
  readonly mode: number;
  /** Absent: as it comes, the agent's own. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly createParents: boolean;
  readonly inPlace: boolean;
  readonly backup: boolean;
}

export interface StagedFile {
  readonly place: string;
  readonly destination: string;
  readonly target: Destination;
  /** The staged file. */
  readonly path: string;
  readonly inPlace: boolean;
  readonly backup: boolean;
}

export interface SameFile {
  readonly destination: string;
  readonly wasMended: boolean;
}

interface StageOptions {
  /** Where an in-place file is staged whose own folder cannot be written. */
  readonly spareFolder: string | undefined;
  /** Stage a copy even when the destination has the bytes already (a rehearsal). */
  readonly always?: boolean;
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const modeBits = 0o7777;

/** Throws `file_failed`, and leaves nothing behind then. */
export async function stageOutput(output: Output, options: StageOptions): Promise<StagedFile | SameFile> {
  const target = await findDestination(output);
  if (options.always !== true && (await hasSameBytes(target, output.bytes))) {
    return { destination: output.destination, wasMended: await mend(output, target) };
  }
  const path = await writeBeside(output, target, options.spareFolder);
  return {
    place: output.place,
    destination: output.destination,
    target,
    path,
    inPlace: output.inPlace,
    backup: output.backup,
  };
}

export function isStaged(result: StagedFile | SameFile): result is StagedFile {
  return 'path' in result;
}

/** Removes a staged file; one that is gone already is fine. */
export async function discardStaged(file: Pick<StagedFile, 'path'>): Promise<void> {
  // What cannot be removed now is swept at the next start.
  await unlink(file.path).catch(() => undefined);
}

async function hasSameBytes(target: Destination, bytes: Buffer): Promise<boolean> {
  if (!target.existing?.isFile() || target.existing.size !== bytes.length) return false;
  let handle: FileHandle | undefined;
  try {
    handle = await open(target.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    return (await handle.readFile()).equals(bytes);
  } catch {
    // Unreadable to us: write it anew, and let that tell what is wrong.
    return false;
  } finally {
    await handle?.close();
  }
}

async function mend(output: Output, target: Destination): Promise<boolean> {
  const { existing } = target;
  if (existing === undefined) return false;
  const wrongOwner =
    existing.uid !== (output.uid ?? existing.uid) || existing.gid !== (output.gid ?? existing.gid);
  if (!wrongOwner && (existing.mode & modeBits) === output.mode) return false;
  let handle: FileHandle | undefined;
  try {
    handle = await open(target.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    await setAttributes(handle, output);
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
  spareFolder: string | undefined,
): Promise<string> {
  const context = { place: `${output.place}.destination`, path: output.destination, verb: 'write' };
  try {
    return await writeStaged(target.folder, output);
  } catch (error) {
    const code = errnoOf(error);
    const isClosed = code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
    if (!output.inPlace || !isClosed || spareFolder === undefined) throw toFileError(error, context);
  }
  try {
    return await writeStaged(spareFolder, output);
  } catch (error) {
    throw toFileError(error, { ...context, path: spareFolder });
  }
}

async function writeStaged(folder: string, output: Output): Promise<string> {
  const path = join(folder, leftoverName('staged', output.destination));
  const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await setAttributes(handle, output);
    await handle.writeFile(output.bytes);
    await handle.sync();
    await handle.close();
    return path;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw toFileError(error, { place: output.place, path: output.destination, verb: 'write' });
  }
}

async function setAttributes(handle: FileHandle, output: Output): Promise<void> {
  if (output.uid !== undefined || output.gid !== undefined) {
    // -1 leaves the one that is not named as it is (chown(2)).
    await handle.chown(output.uid ?? -1, output.gid ?? -1);
  }
  await handle.chmod(output.mode);
}
