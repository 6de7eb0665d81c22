// The audit file on disk: opened without following links, appended to whole lines or nothing, rotated, and read at its
// end to find where the chain goes on. Which lines are written is audit-log.ts.
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { LatchkeyError } from '../base/errors.ts';
import type { HeldFolder } from '../base/paths/held-folder.ts';
import { holdTrailFolder, openInTrail } from '../base/paths/open-trail.ts';
import { PathFault } from '../base/paths/path-trust.ts';
import { flock, lastErrnoName, lockExclusive, lockNonBlocking } from '../base/system/libc.ts';
import { type ChainHead, emptyChain, lineHash } from './audit-line.ts';

export interface AuditFile {
  /** Bytes in the file, as far as this process knows. */
  readonly size: number;
  /** Appends all or nothing; throws what the system said. `byteLength` is that of the text in UTF-8. */
  append(text: string, byteLength: number): void;
  /** Whether the path still leads to the file that is open. */
  isInPlace(): boolean;
  /** Whether no path leads to it any more: what is written to it is lost with its closing. */
  isRemoved(): boolean;
  close(): void;
}

export interface OpenedAuditFile {
  readonly file: AuditFile;
  /** Where the chain goes on: after the last whole line here, or else of the newest rotated file. */
  readonly head: ChainHead;
  /** Bytes of a line that was cut short by a crash, taken away. */
  readonly tornBytes: number;
}

export function openAuditFile(path: string): OpenedAuditFile {
  return inFolderOf(path, (folder) => openIn(folder, path), 0o750);
}

/** What is done there is done in the very folder that was looked at, whoever moves it meanwhile. */
function inFolderOf<T>(path: string, act: (folder: HeldFolder) => T, createMode?: number): T {
  try {
    const folder = holdTrailFolder(path, createMode);
    try {
      return act(folder);
    } finally {
      folder.release();
    }
  } catch (cause) {
    if (!(cause instanceof PathFault)) throw cause;
    throw new LatchkeyError('audit_failed', cause.message, { cause, remedy: cause.remedy });
  }
}

function openIn(folder: HeldFolder, path: string): OpenedAuditFile {
  const fd = openInTrail(folder, basename(path), 'append');
  try {
    lockFile(fd, path);
    const status = fstatSync(fd);
    if (!status.isFile()) {
      throw new LatchkeyError('audit_failed', `${path} is no regular file`, {
        remedy: 'name another file in audit.file',
      });
    }
    const tail = readTail(fd, status.size, path);
    if (tail.tornBytes > 0) ftruncateSync(fd, status.size - tail.tornBytes);
    const head = tail.lastLine === undefined ? headOfRotated(folder, path) : headOf(tail.lastLine, path);
    return {
      file: createAuditFile(path, fd, status.size - tail.tornBytes),
      head,
      tornBytes: tail.tornBytes,
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Two chains in one file are none: the lock lives as long as the descriptor. */
function lockFile(fd: number, path: string): void {
  if (flock(fd, lockExclusive | lockNonBlocking) === 0) {
    // Between opening and locking its owner may have rotated it away.
    const [open, there] = [fstatSync(fd), statSync(path)];
    if (open.ino === there.ino && open.dev === there.dev) return;
  } else if (lastErrnoName() !== 'EAGAIN' && lastErrnoName() !== 'EWOULDBLOCK') {
    return; // a file system without locks
  }
  const owner = ownerOfLock(fd);
  throw new LatchkeyError('audit_failed', `${path} is written by another process${owner}`, {
    remedy: 'stop that one, or name another file in audit.file',
  });
}

/** From /proc/locks: `1: FLOCK  ADVISORY  WRITE 812 08:01:1234 0 EOF`. */
function ownerOfLock(fd: number): string {
  const { ino } = fstatSync(fd);
  const pid = new RegExp(`FLOCK +ADVISORY +WRITE (\\d+) [0-9a-f]+:[0-9a-f]+:${ino} `).exec(
    readOrNothing('/proc/locks'),
  )?.[1];
  return pid === undefined ? '' : ` (pid ${pid})`;
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // No /proc, or not this part of it.
    return '';
  }
}

function createAuditFile(path: string, fd: number, startSize: number): AuditFile {
  let size = startSize;
  /** A part of a line that could not be taken back yet; nothing is appended after it. */
  let tornBytes = 0;

  function takeBack(): void {
    ftruncateSync(fd, fstatSync(fd).size - tornBytes);
    tornBytes = 0;
  }

  return {
    get size() {
      return size;
    },
    append(text, byteLength) {
      if (tornBytes > 0) takeBack();
      let written = writeSync(fd, text);
      // A short write: the disk is full, or about to be, and the rest tells.
      if (written < byteLength) {
        const bytes = Buffer.from(text, 'utf8');
        try {
          while (written < byteLength) written += writeSync(fd, bytes, written);
        } catch (error) {
          tornBytes = written;
          takeBack();
          throw error;
        }
      }
      size += byteLength;
    },
    isInPlace() {
      try {
        const there = statSync(path);
        const open = fstatSync(fd);
        return there.ino === open.ino && there.dev === open.dev;
      } catch {
        // Moved or removed.
        return false;
      }
    },
    isRemoved: () => fstatSync(fd).nlink === 0,
    close: () => closeSync(fd),
  };
}

/** Renames `audit.jsonl` to `audit.jsonl.1`, that to `.2` and so on; beyond `keepFiles` (0: never) the oldest goes. */
export function rotateAuditFiles(path: string, keepFiles: number): void {
  inFolderOf(path, (folder) => {
    const name = (end = ''): string => folder.entry(`${basename(path)}${end}`);
    for (const number of rotatedNumbers(path, folder.entry('.')).reverse()) {
      if (keepFiles > 0 && number >= keepFiles) rmSync(name(`.${number}`), { force: true });
      else renameSync(name(`.${number}`), name(`.${number + 1}`));
    }
    renameSync(name(), name('.1'));
  });
}

/** The audit file and its rotated ones, oldest first, as `verifyAudit` wants them. */
export function auditFilesOf(path: string): string[] {
  const rotated = rotatedNumbers(path)
    .reverse()
    .map((number) => `${path}.${number}`);
  return existsSync(path) ? [...rotated, path] : rotated;
}

/** Ascending: 1 is the newest. */
function rotatedNumbers(path: string, folder = dirname(path)): number[] {
  const start = `${basename(path)}.`;
  return listFolder(folder)
    .filter((name) => name.startsWith(start) && /^[1-9]\d*$/.test(name.slice(start.length)))
    .map((name) => Number(name.slice(start.length)))
    .sort((a, b) => a - b);
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // No folder: no files.
    return [];
  }
}

function headOfRotated(folder: HeldFolder, path: string): ChainHead {
  const newest = rotatedNumbers(path, folder.entry('.'))[0];
  if (newest === undefined) return emptyChain;
  const name = `${basename(path)}.${newest}`;
  const fd = openInTrail(folder, name, 'read');
  try {
    const { lastLine } = readTail(fd, fstatSync(fd).size, name);
    return lastLine === undefined ? emptyChain : headOf(lastLine, name);
  } finally {
    closeSync(fd);
  }
}

const longestLine = 64 * 1024;

function readTail(
  fd: number,
  size: number,
  path: string,
): { lastLine: Buffer | undefined; tornBytes: number } {
  const bytes = Buffer.alloc(Math.min(size, 2 * longestLine));
  readSync(fd, bytes, 0, bytes.length, size - bytes.length);
  const end = bytes.lastIndexOf(0x0a);
  const tornBytes = bytes.length - end - 1;
  if (end < 0) {
    if (size > bytes.length) throw notOurs(path);
    return { lastLine: undefined, tornBytes };
  }
  const start = bytes.lastIndexOf(0x0a, end - 1) + 1;
  return { lastLine: end === 0 ? undefined : bytes.subarray(end === 0 ? 0 : start, end), tornBytes };
}

function headOf(line: Buffer, path: string): ChainHead {
  try {
    const { seq } = JSON.parse(line.toString('utf8')) as { seq?: unknown };
    if (typeof seq === 'number' && Number.isSafeInteger(seq)) return { seq, hash: lineHash(line) };
  } catch {
    // Not JSON: told below.
  }
  throw notOurs(path);
}

function notOurs(path: string): LatchkeyError {
  return new LatchkeyError('audit_failed', `${path} does not end in an audit line`, {
    remedy: 'move it away or name another file in audit.file',
  });
}
