// Checks the chain of audit lines over one or more files: finds lines that were changed, removed, added or reordered.
// Cutting lines off the very end shows only against the head that the agent tells (status), or by a missing last line.
import { counted } from '../base/text/counted.ts';
import { type ChainHead, lineHash } from './audit-line.ts';
import { auditLinesOf } from './audit-lines.ts';

interface AuditProblem {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  readonly what: string;
}

export interface AuditVerification {
  readonly isIntact: boolean;
  readonly problems: readonly AuditProblem[];
  readonly lines: number;
  /** The number of the first line that is left; more than 1 where older files were removed. */
  readonly firstSeq: number | undefined;
  readonly head: ChainHead;
  /** Whether the last line is that of an orderly stop: else the agent still runs, was killed, or lines were cut off. */
  readonly endsOrderly: boolean;
}

/** More problems than that are not listed. */
const maxProblems = 100;

interface Reader {
  readonly expected: ChainHead | undefined;
  head: ChainHead | undefined;
  firstSeq: number | undefined;
  lines: number;
  problems: AuditProblem[];
  lastEvent: unknown;
}

/**
 * `files` oldest first (see `auditFilesOf`). `expected` is the head that a running agent tells: lines that it wrote and
 * that are not there are found so. Throws `not_found` and `audit_failed`.
 */
export async function verifyAudit(
  files: readonly string[],
  expected?: ChainHead,
): Promise<AuditVerification> {
  const reader: Reader = {
    expected,
    head: undefined,
    firstSeq: undefined,
    lines: 0,
    problems: [],
    lastEvent: undefined,
  };
  for (const file of files) await verifyFile(reader, file);
  const head = reader.head ?? { seq: 0, hash: null };
  if (expected !== undefined && head.seq < expected.seq) {
    const what = `${counted(expected.seq - head.seq, 'line is', 'lines are')} missing at the end`;
    reader.problems.push({ file: files.at(-1) ?? '', line: reader.lines, what });
  }
  return {
    isIntact: reader.problems.length === 0,
    problems: reader.problems,
    lines: reader.lines,
    firstSeq: reader.firstSeq,
    head,
    endsOrderly: reader.lastEvent === 'stopped',
  };
}

async function verifyFile(reader: Reader, file: string): Promise<void> {
  let number = 0;
  for await (const { bytes, isWhole, isTooLong } of auditLinesOf(file)) {
    number += 1;
    const report = (what: string): void => {
      if (reader.problems.length < maxProblems) reader.problems.push({ file, line: number, what });
    };
    if (isWhole) verifyLine(reader, bytes, report);
    else report(isTooLong ? 'not an audit line: none is that long' : 'the line is cut short');
  }
}

function verifyLine(reader: Reader, bytes: Buffer, report: (what: string) => void): void {
  const parsed = parseLine(bytes);
  const hash = lineHash(bytes);
  reader.lines += 1;
  if (parsed === undefined) {
    report('not an audit line');
    // Where the next one should follow on, nobody can tell.
    reader.head = reader.head && { seq: reader.head.seq + 1, hash };
    return;
  }
  const { seq, prev, event } = parsed;
  const before = reader.head;
  reader.firstSeq ??= seq;
  if (before === undefined) {
    if (seq === 1 && prev !== null) report('line 1 of the chain names a line before it');
    // Every file begins with this one, those that follow a rotated file too.
    if (seq > 1 && event !== 'opened')
      report(`the lines before this one (seq ${seq}) were removed from the file`);
  } else if (seq > before.seq + 1) {
    report(
      `${counted(seq - before.seq - 1, 'line is', 'lines are')} missing before this one (expected seq ${before.seq + 1}, got ${seq})`,
    );
  } else if (seq <= before.seq) {
    report(`out of order: expected seq ${before.seq + 1}, got ${seq}`);
  } else if (prev !== before.hash) {
    report(
      `the line before (seq ${before.seq}) was changed, or this one: its hash is not the one noted here`,
    );
  }
  if (seq === reader.expected?.seq && hash !== reader.expected.hash) {
    report(`not the line that the agent wrote as seq ${seq}`);
  }
  reader.head = { seq, hash };
  reader.lastEvent = event;
}

function parseLine(bytes: Buffer): { seq: number; prev: string | null; event: unknown } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    // Told by the caller, with the place.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { seq, prev, event } = value as Record<string, unknown>;
  const isWellFormed = Number.isSafeInteger(seq) && (prev === null || typeof prev === 'string');
  return isWellFormed ? { seq: seq as number, prev: prev as string | null, event } : undefined;
}
