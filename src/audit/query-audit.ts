// Asks audit files who got which secret, or was refused it: by name, by time, by caller. Reads line by line, and takes a line
// that is no record for what `verify` is there for.
import type { AuditRecord } from '../api/audit-record.ts';
import { auditLinesOf } from './audit-lines.ts';

export interface AuditQuestion {
  /** Of the secret; absent: of any. */
  readonly name?: string | undefined;
  /** Wall times; absent: from the first line, to the last. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly uid?: number | undefined;
}

/** Answers that were given, oldest first within a file. Throws `not_found` and `audit_failed`. */
export async function* queryAudit(
  files: readonly string[],
  question: AuditQuestion,
): AsyncGenerator<AuditRecord> {
  for (const file of files) {
    for await (const { bytes, isTooLong } of auditLinesOf(file)) {
      const record = isTooLong ? undefined : auditRecordOf(bytes.toString('utf8'));
      if (record !== undefined && fits(record, question)) yield record;
    }
  }
}

/** Undefined: the line is no answer to a request. */
export function auditRecordOf(line: string): AuditRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value['event'] !== 'request' || typeof value['time'] !== 'string') return undefined;
  return {
    time: value['time'],
    name: textIn(value, 'name'),
    field: textIn(value, 'field'),
    version: numberIn(value, 'version'),
    path: textIn(value, 'path'),
    isAllowed: value['allowed'] === true,
    reason: textIn(value, 'reason') ?? '',
    status: numberIn(value, 'status'),
    count: numberIn(value, 'count') ?? 1,
    caller: isRecord(value['caller']) ? value['caller'] : {},
  };
}

function fits({ name, time, caller }: AuditRecord, question: AuditQuestion): boolean {
  const at = Date.parse(time);
  if (question.name !== undefined && name !== question.name) return false;
  if (question.uid !== undefined && caller['uid'] !== question.uid) return false;
  return !(
    at < (question.from ?? Number.NEGATIVE_INFINITY) || at > (question.to ?? Number.POSITIVE_INFINITY)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textIn(map: Record<string, unknown>, key: string): string | undefined {
  const value = map[key];
  return typeof value === 'string' ? value : undefined;
}

function numberIn(map: Record<string, unknown>, key: string): number | undefined {
  const value = map[key];
  return typeof value === 'number' ? value : undefined;
}
