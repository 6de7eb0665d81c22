// The audit trail: collects lines, has them written, and lets their answers go only then. Decides what happens when a
// line cannot be written; the chain and its file are audit-chain.ts.

import type { AuditStatus } from '../api/status.ts';
import { describeError, LatchkeyError } from '../base/errors.ts';
import { errnoOf } from '../base/system/errno.ts';
import { createAuditChain } from './audit-chain.ts';
import { type AuditEntry, eventMembers, requestMembers } from './audit-line.ts';
import { type AuditLogOptions, createRefusalTrail, refusalFileOf } from './refusal-trail.ts';

/** Told once its line is with the kernel, or that it cannot be written and nothing may be served. */
export interface Recorded {
  recorded(failure: LatchkeyError | undefined): void;
}

export interface AuditLog {
  append(entry: AuditEntry, recipient: Recorded): void;
  /** After HUP: opens the path again when the file was moved away; rotates it when only HUP does (`maxBytes` 0). */
  reopen(): void;
  status(): AuditStatus;
  /** Writes what waits and a last line. Lines after that fail. */
  close(): void;
}

interface Waiting {
  readonly members: string;
  readonly recipient: Recorded;
}

/** No audit configured: everything counts as recorded. */
export function createSilentAudit(): AuditLog {
  return {
    append: (_entry, recipient) => recipient.recorded(undefined),
    reopen() {},
    status: () => ({
      file: null,
      state: 'off',
      on_failure: null,
      seq: 0,
      hash: null,
      error: null,
      lost: 0,
      denied: { file: null, seq: 0, hash: null },
    }),
    close() {},
  };
}

/** Opens the file at once; when that fails it is logged, and tried again with later lines. */
export function createAuditLog(options: AuditLogOptions): AuditLog {
  const { settings, logger, counters } = options;
  const isDenying = settings.onFailure === 'deny';
  const chain = createAuditChain(options);
  const refusals = createRefusalTrail(options);
  let failure: LatchkeyError | undefined;
  let lost = 0;
  /** Lost since the last line that was written: the next one tells. */
  let lostInGap = 0;
  let waiting: Waiting[] = [];
  let isScheduled = false;
  let isClosed = false;

  function fail(error: unknown, missed: number): void {
    const isNew = failure === undefined;
    lost += missed;
    lostInGap += missed;
    counters?.failures.inc(missed);
    failure = new LatchkeyError('audit_failed', `the audit file cannot be written: ${reasonOf(error)}`, {
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

  function write(lines: string[]): void {
    try {
      chain.write(lostInGap > 0 ? [eventMembers('gap', { lost: lostInGap }), ...lines] : lines);
      recover();
      counters?.lines.inc(lines.length);
    } catch (error) {
      fail(error, lines.length);
    }
  }

  function flush(): void {
    const batch = waiting;
    if (batch.length === 0) return;
    waiting = [];
    write(batch.map((item) => item.members));
    const refusal = isDenying ? failure : undefined;
    for (const item of batch) item.recipient.recorded(refusal);
    chain.settle();
  }

  function flushTurn(): void {
    isScheduled = false;
    flush();
  }

  const statusNow = (): AuditStatus => ({
    file: settings.file,
    state: failure === undefined ? 'writing' : 'failing',
    on_failure: settings.onFailure,
    ...chain.head(),
    error: failure?.message ?? null,
    lost,
    denied: { file: refusalFileOf(settings.file), ...refusals.head() },
  });

  write([eventMembers('started', { pid: process.pid })]);

  return {
    append(entry, recipient) {
      if (isClosed) {
        const refusal = new LatchkeyError('audit_failed', 'the audit file is closed');
        recipient.recorded(isDenying ? refusal : undefined);
        return;
      }
      if (!entry.isAllowed && entry.status !== undefined) {
        refusals.refused(entry);
        recipient.recorded(undefined);
        return;
      }
      waiting.push({ members: requestMembers(entry), recipient });
      if (isScheduled) return;
      isScheduled = true;
      // After the poll phase: all requests that this turn of the loop has read share one write.
      setImmediate(flushTurn);
    },
    reopen() {
      flush();
      refusals.reopen();
      chain.reopen();
      write([eventMembers('reopened', { pid: process.pid })]);
    },
    status() {
      // It may work again, and whoever waits to be told so before they ask for anything would wait for ever.
      if (failure !== undefined && !isClosed) write([]);
      return statusNow();
    },
    close() {
      if (isClosed) return;
      flush();
      write([eventMembers('stopped', { pid: process.pid })]);
      isClosed = true;
      refusals.close();
      chain.close();
    },
  };
}

function reasonOf(error: unknown): string {
  if (error instanceof LatchkeyError) return error.message;
  const code = errnoOf(error);
  if (code === 'ENOSPC') return 'no space left on the device (ENOSPC)';
  return code ?? describeError(error);
}
