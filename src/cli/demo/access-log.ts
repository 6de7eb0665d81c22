// Who asked the agent for what, as its audit files have it: the last lines, with those that say the same counted together.
import { lastAuditRecords } from '../../agent/host/last-audit-records.ts';
import type { AuditRecord } from '../../api/audit-record.ts';
import type { AccessRow } from './demo-view.ts';

const readRecords = 300;
const shownRows = 8;

/** Newest first; what cannot be read yet is no row. */
export function readAccessLog(file: string): AccessRow[] {
  const rows: AccessRow[] = [];
  for (const record of recordsOf(file)) {
    // The page asks too, and that is not what one looks for.
    if (record.name === undefined || record.caller['pid'] === process.pid) continue;
    const row = rowOf(record);
    const last = rows.at(-1);
    if (last !== undefined && isAlike(last, row))
      rows[rows.length - 1] = { ...last, count: last.count + row.count };
    else if (rows.length === shownRows) break;
    else rows.push(row);
  }
  return rows;
}

function recordsOf(file: string): AuditRecord[] {
  try {
    return lastAuditRecords(file, readRecords);
  } catch {
    // Not there yet.
    return [];
  }
}

function rowOf({
  time,
  name = '',
  field,
  version,
  isAllowed,
  reason,
  count,
  caller,
}: AuditRecord): AccessRow {
  const who =
    typeof caller['token'] === 'string'
      ? 'refund-worker, by its token'
      : `uid ${caller['uid']}, pid ${caller['pid']}`;
  const whole = field === undefined ? name : `${name}.${field}`;
  return {
    time,
    who,
    what: version === undefined ? whole : `${whole} v${version}`,
    isAllowed,
    reason,
    count,
  };
}

function isAlike(a: AccessRow, b: AccessRow): boolean {
  return a.who === b.who && a.what === b.what && a.isAllowed === b.isAllowed && a.reason === b.reason;
}
