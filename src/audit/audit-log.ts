// The audit trail: lines of one turn of the event loop are chained and written together, then their answers may go
// out. Decides what happens when a line cannot be written; the file itself is audit-file.ts.
import type { Clock } from '../base/clock.ts';
import { describeError, LatchkeyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type AuditFile, openAuditFile, rotateAuditFiles } from './audit-file.ts';
import {
  type AuditEntry,
  type ChainHead,
  chainLine,
  emptyChain,
  eventMembers,
  lineHash,
  requestMembers,
} from './audit-line.ts';

/** Structurally `AuditConfig` of config/resolved.ts. */
export interface AuditSettings {
  readonly file: string;
  /** `deny`: what cannot be recorded is not served. */
  readonly onFailure: 'deny' | 'continue';
  /** Rotated at this size; 0: only on `reopen`. */
  readonly maxBytes: number;
  /** How many rotated files stay; 0: all. */
  readonly keepFiles: number;
}

/** Told once its line is on its way to the disk, or that it cannot be and nothing may be served. */
export interface Recorded {
  recorded(failure: LatchkeyError | undefined): void;
}

export interface AuditStatus {
  readonly file: string | undefined;
  readonly state: 'off' | 'writing' | 'failing';
  readonly onFailure: 'deny' | 'continue' | undefined;
  /** Number and hash of the last line: `latchkey audit verify` compares them with the file's end. */
  readonly seq: number;
  readonly hash: string | null;
  readonly error: string | undefined;
  /** Lines not written since the start. */
  readonly lost: number;
}

export interface AuditLog {
  append(entry: AuditEntry, recipient: Recorded): void;
  /** After HUP: opens the path again when the file was moved away; rotates it when only HUP does (`maxBytes` 0). */
  reopen(): void;
  status(): AuditStatus;
  /** Writes what waits and a last line. Later lines fail. */
  close(): void;
}

export interface AuditCounters {
  readonly lines: { inc(by?: number): void };
  readonly failures: { inc(by?: number): void };
}

interface AuditLogOptions {
  settings: AuditSettings;
  clock: Clock;
  logger: Logger;
  counters?: AuditCounters;
}

/** A file that could not be opened is tried again at most this often. */
const reopenEveryMs = 1000;

interface Waiting {
  readonly members: string;
  readonly recipient: Recorded | undefined;
}

/** No audit configured: everything counts as recorded. */
export function createSilentAudit(): AuditLog {
  const status: AuditStatus = {
    file: undefined,
    state: 'off',
    onFailure: undefined,
    seq: 0,
    hash: null,
    error: undefined,
    lost: 0,
  };
  return {
    append: (_entry, recipient) => recipient.recorded(undefined),
    reopen() {},
    status: () => status,
    close() {},
  };
}

/** Opens the file at once; when that fails it is logged, and tried again with the next lines. */
export function createAuditLog(options: AuditLogOptions): AuditLog {
  const { settings, clock, logger, counters } = options;
  const isDenying = settings.onFailure === 'deny';
  let file: AuditFile | undefined;
  let head: ChainHead = emptyChain;
  let failure: LatchkeyError | undefined;
  let lost = 0;
  /** Lost since the last line that was written: the next one tells. */
  let lostInGap = 0;
  let waiting: Waiting[] = [];
  let isScheduled = false;
  let isClosed = false;
  let triedAt = Number.NEGATIVE_INFINITY;
  let timeMs = 0;
  let timeText = '';

  function isoNow(): string {
    const now = clock.wall();
    if (now !== timeMs) {
      timeMs = now;
      timeText = new Date(now).toISOString();
    }
    return timeText;
  }

  /** Chains and appends; on failure the chain stays where it was. */
  function write(lines: readonly string[]): void {
    if (file === undefined) throw failure ?? new Error('the file is not open');
    const time = isoNow();
    let next = head;
    let text = '';
    for (const members of lines) {
      const line = chainLine(next, time, members);
      next = { seq: next.seq + 1, hash: lineHash(line) };
      text += `${line}\n`;
    }
    const bytes = Buffer.from(text, 'utf8');
    if (settings.maxBytes > 0 && file.size > 0 && file.size + bytes.length > settings.maxBytes) rotate();
    file?.append(bytes);
    head = next;
    counters?.lines.inc(lines.length);
  }

  function open(): void {
    if (file !== undefined || isClosed) return;
    const now = clock.now();
    if (now - triedAt < reopenEveryMs) return;
    triedAt = now;
    try {
      const opened = openAuditFile(settings.file);
      // The chain in memory wins: a moved file's successor is empty, and goes on where we are.
      if (head.seq === 0) head = opened.head;
      file = opened.file;
      const fields = opened.tornBytes > 0 ? { torn_bytes: opened.tornBytes } : {};
      waiting.unshift({
        members: eventMembers('opened', { pid: process.pid, ...fields }),
        recipient: undefined,
      });
    } catch (error) {
      fail(error);
    }
  }

  function rotate(): void {
    try {
      rotateAuditFiles(settings.file, settings.keepFiles);
    } catch (error) {
      logger.warn({ file: settings.file, error: describeError(error) }, 'the audit file cannot be rotated');
      return;
    }
    file?.close();
    file = undefined;
    file = openAuditFile(settings.file).file;
  }

  function fail(error: unknown): void {
    const isNew = failure === undefined;
    failure = new LatchkeyError('audit_failed', `the audit file cannot be written: ${systemReason(error)}`, {
      cause: error,
      remedy: `make ${settings.file} writable or make room on its disk`,
    });
    if (!isNew) return;
    const consequence = isDenying ? 'nothing is served until it can' : 'requests are served unrecorded';
    logger.error({ file: settings.file, error: describeError(failure) }, `audit failed: ${consequence}`);
  }

  function recover(): void {
    if (failure === undefined) return;
    failure = undefined;
    logger.info({ file: settings.file, lost: lostInGap }, 'audit works again');
    lostInGap = 0;
  }

  function flush(): void {
    isScheduled = false;
    open();
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    try {
      const lines = batch.map((item) => item.members);
      if (lostInGap > 0) lines.unshift(eventMembers('gap', { lost: lostInGap }));
      write(lines);
      recover();
    } catch (error) {
      const missed = batch.filter((item) => item.recipient !== undefined || !isDenying).length;
      lost += missed;
      lostInGap += missed;
      counters?.failures.inc(missed);
      fail(error);
    }
    const refusal = isDenying ? failure : undefined;
    for (const item of batch) item.recipient?.recorded(refusal);
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    // After the poll phase: all requests that this turn of the loop has read share one write.
    setImmediate(flush);
  }

  open();
  if (waiting.length > 0) flush();

  return {
    append(entry, recipient) {
      if (isClosed) {
        recipient.recorded(
          isDenying ? new LatchkeyError('audit_failed', 'the audit file is closed') : undefined,
        );
        return;
      }
      waiting.push({ members: requestMembers(entry), recipient: isDenying ? recipient : undefined });
      schedule();
      if (!isDenying) recipient.recorded(undefined);
    },
    reopen() {
      flush();
      if (file?.isInPlace()) {
        if (settings.maxBytes === 0 && file.size > 0) tryRotate();
        return;
      }
      file?.close();
      file = undefined;
      triedAt = Number.NEGATIVE_INFINITY;
      flush();
    },
    status: () => ({
      file: settings.file,
      state: failure === undefined ? 'writing' : 'failing',
      onFailure: settings.onFailure,
      ...head,
      error: failure?.message,
      lost,
    }),
    close() {
      if (isClosed) return;
      waiting.push({ members: eventMembers('closed', { pid: process.pid }), recipient: undefined });
      flush();
      isClosed = true;
      file?.close();
      file = undefined;
    },
  };

  function tryRotate(): void {
    try {
      rotate();
    } catch (error) {
      fail(error);
    }
  }
}

function systemReason(error: unknown): string {
  if (error instanceof LatchkeyError) return error.message;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC') return 'no space left on the device (ENOSPC)';
  return code ?? describeError(error);
}
