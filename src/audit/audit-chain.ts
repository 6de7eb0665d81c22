// The chain on disk: numbers lines, hashes them, appends them, rotates, and finds its end again after a restart. What
// happens when that fails is audit-log.ts.

import { describeError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Clock } from '../base/time/clock.ts';
import type { AuditConfig } from '../config/resolved.ts';
import { type AuditFile, openAuditFile, rotateAuditFiles } from './audit-file.ts';
import { type ChainHead, chainLine, emptyChain, eventMembers, lineHash } from './audit-line.ts';

export interface AuditChain {
  /** Number and hash of the last line. */
  head(): ChainHead;
  /** Appends these lines' members, all or nothing; throws when it cannot, and the chain stays where it was. */
  write(lines: readonly string[]): void;
  /** Does what the next `write` need not wait for. */
  settle(): void;
  reopen(): void;
  close(): void;
}

interface AuditChainOptions {
  settings: AuditConfig;
  clock: Clock;
  logger: Logger;
}

/** A file that could not be opened is tried again at most this often, and one that is open looked at so often. */
const lookEveryMs = 1000;

/** Opens nothing before the first `write`. */
export function createAuditChain({ settings, clock, logger }: AuditChainOptions): AuditChain {
  let file: AuditFile | undefined;
  let seq = 0;
  let hash: string | null = null;
  /** Its hash is not computed yet: that can be done while its answer is on the way. */
  let lastLine: string | undefined;
  /** Lines about the file itself, to be written with the next ones. */
  let notes: string[] = [];
  let openFailure: unknown;
  let triedAt = Number.NEGATIVE_INFINITY;
  let lookedAt = 0;
  let timeMs = -1;
  let timeText = '';

  function isoNow(): string {
    const now = clock.wall();
    if (now !== timeMs) {
      timeMs = now;
      timeText = new Date(now).toISOString();
    }
    return timeText;
  }

  function settle(): void {
    if (lastLine === undefined) return;
    hash = lineHash(lastLine);
    lastLine = undefined;
  }

  function openFile(): AuditFile {
    if (file !== undefined) return file;
    const now = clock.now();
    if (now - triedAt < lookEveryMs) throw openFailure;
    triedAt = now;
    try {
      const opened = openAuditFile(settings.file);
      // The chain in memory wins: a moved file's successor is empty, and goes on where we are.
      if (seq === 0) ({ seq, hash } = opened.head ?? emptyChain);
      const torn = opened.tornBytes > 0 ? { torn_bytes: opened.tornBytes } : {};
      notes = [eventMembers('opened', torn)];
      file = opened.file;
      return file;
    } catch (error) {
      openFailure = error;
      throw error;
    }
  }

  function closeFile(): void {
    file?.close();
    file = undefined;
    triedAt = Number.NEGATIVE_INFINITY;
  }

  function rotate(): void {
    try {
      rotateAuditFiles(settings.file, settings.keepFiles);
    } catch (error) {
      logger.warn({ file: settings.file, error: describeError(error) }, 'the audit file cannot be rotated');
      return;
    }
    closeFile();
  }

  /** Somebody removed the file: what is written to it would be lost. A new one goes on with the chain. */
  function leaveRemoved(): void {
    const now = clock.now();
    if (file === undefined || now - lookedAt < lookEveryMs) return;
    lookedAt = now;
    if (!file.isRemoved()) return;
    logger.error({ file: settings.file }, 'the audit file was removed, a new one is begun');
    closeFile();
  }

  function write(lines: readonly string[]): void {
    leaveRemoved();
    if (settings.maxBytes > 0 && file !== undefined && file.size >= settings.maxBytes) rotate();
    const target = openFile();
    settle();
    const time = isoNow();
    let text = '';
    let next: ChainHead = { seq, hash };
    let line = '';
    for (const members of notes.length > 0 ? [...notes, ...lines] : lines) {
      if (line !== '') next = { seq: next.seq, hash: lineHash(line) };
      line = chainLine(next, time, members);
      next = { seq: next.seq + 1, hash: null };
      text += `${line}\n`;
    }
    target.append(text, Buffer.byteLength(text, 'utf8'));
    seq = next.seq;
    lastLine = line;
    notes = [];
  }

  return {
    head() {
      settle();
      return { seq, hash };
    },
    write,
    settle,
    reopen() {
      if (file === undefined) return;
      if (!file.isInPlace()) closeFile();
      else if (settings.maxBytes === 0 && file.size > 0) rotate();
    },
    close: closeFile,
  };
}
