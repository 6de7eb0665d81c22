// The end of an audit file and of the one with its refusals, however long they are: what was decided last.
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { AuditRecord } from '../../api/audit-record.ts';
import { auditRecordOf } from '../../audit/query-audit.ts';
import { refusalFileOf } from '../../audit/refusal-trail.ts';
import { openNamedFileSync } from '../../base/paths/controlled-file.ts';
import { errnoOf } from '../../base/system/errno.ts';

const pieceBytes = 128 * 1024;
const mostPieces = 16;

type Wanted = (record: AuditRecord) => boolean;

/** At most the last `most` that are wanted, newest first. Throws as reading does, and a PathFault; nobody may have been refused yet. */
export function lastAuditRecords(path: string, most: number, isWanted: Wanted = () => true): AuditRecord[] {
  const records = [...endOf(path, most, isWanted), ...refusalsOf(path, most, isWanted)];
  return records.sort((a, b) => (a.time < b.time ? 1 : -1)).slice(0, most);
}

function refusalsOf(path: string, most: number, isWanted: Wanted): AuditRecord[] {
  try {
    return endOf(refusalFileOf(path), most, isWanted);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Piece by piece from its end, until there are enough; 2 MiB at most. */
function endOf(path: string, most: number, isWanted: Wanted): AuditRecord[] {
  const fd = openNamedFileSync(path, Number.POSITIVE_INFINITY);
  try {
    const found: AuditRecord[] = [];
    let end = fstatSync(fd).size;
    let rest = Buffer.alloc(0);
    for (let piece = 0; piece < mostPieces && end > 0 && found.length < most; piece += 1) {
      const bytes = Buffer.alloc(Math.min(pieceBytes, end));
      end -= bytes.length;
      readSync(fd, bytes, 0, bytes.length, end);
      const text = Buffer.concat([bytes, rest]);
      // The first line may be the rest of one that begins in the piece before.
      const begin = end === 0 ? 0 : text.indexOf('\n') + 1;
      rest = text.subarray(0, begin);
      const lines = text.toString('utf8', begin).split('\n');
      const records = lines.flatMap((line) => auditRecordOf(line) ?? []).filter(isWanted);
      found.unshift(...records);
    }
    return found;
  } finally {
    closeSync(fd);
  }
}
