// The end of an audit file and of the one with its refusals, however long they are: what was decided last.
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { AuditRecord } from '../../api/audit-record.ts';
import { auditRecordOf } from '../../audit/query-audit.ts';
import { refusalFileOf } from '../../audit/refusal-trail.ts';
import { openNamedFileSync } from '../../base/paths/controlled-file.ts';
import { errnoOf } from '../../base/system/errno.ts';

const readBytes = 128 * 1024;

/** At most the last `most`, newest first. Throws as reading does, and a PathFault; nobody may have been refused yet. */
export function lastAuditRecords(path: string, most: number): AuditRecord[] {
  const records = [...endOf(path), ...refusalsOf(path)];
  return records.sort((a, b) => (a.time < b.time ? 1 : -1)).slice(0, most);
}

function refusalsOf(path: string): AuditRecord[] {
  try {
    return endOf(refusalFileOf(path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function endOf(path: string): AuditRecord[] {
  const fd = openNamedFileSync(path, Number.POSITIVE_INFINITY);
  try {
    const begin = Math.max(0, fstatSync(fd).size - readBytes);
    const bytes = Buffer.alloc(readBytes);
    const lines = bytes.toString('utf8', 0, readSync(fd, bytes, 0, readBytes, begin)).split('\n');
    // The first may be the rest of one.
    return lines.slice(begin === 0 ? 0 : 1).flatMap((line) => auditRecordOf(line) ?? []);
  } finally {
    closeSync(fd);
  }
}
