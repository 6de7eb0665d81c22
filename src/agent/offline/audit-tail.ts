// What comes to an audit file and to the one with its refusals, piece by piece.
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { AuditRecord } from '../../api/audit-record.ts';
import { auditRecordOf } from '../../audit/query-audit.ts';
import { refusalFileOf } from '../../audit/refusal-trail.ts';
import { openNamedFileSync } from '../../base/paths/controlled-file.ts';

export interface AuditTail {
  /** The answers that were written since the last time, from the first line on, oldest first. */
  next(): AuditRecord[];
}

/** Of one look; more comes with the next. */
const pieceBytes = 1024 * 1024;

export function createAuditTail(path: string): AuditTail {
  const tails = [tailOf(path), tailOf(refusalFileOf(path))];
  return {
    next: () => tails.flatMap((tail) => tail.next()).sort((a, b) => (a.time < b.time ? -1 : 1)),
  };
}

function tailOf(path: string): AuditTail {
  let file: { readonly ino: number; offset: number } | undefined;

  function read(fd: number): AuditRecord[] {
    const { ino, size } = fstatSync(fd);
    if (file?.ino !== ino || size < file.offset) file = { ino, offset: 0 };
    const bytes = Buffer.allocUnsafe(Math.min(pieceBytes, size - file.offset));
    const piece = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, file.offset));
    // The last line may not be whole yet.
    const whole = piece.subarray(0, piece.lastIndexOf('\n') + 1);
    file.offset += whole.length;
    return whole
      .toString('utf8')
      .split('\n')
      .flatMap((line) => auditRecordOf(line) ?? []);
  }

  return {
    next() {
      let fd: number;
      try {
        fd = openNamedFileSync(path, Number.POSITIVE_INFINITY);
      } catch {
        // Not there yet: nobody has asked, or been refused.
        return [];
      }
      try {
        return read(fd);
      } finally {
        closeSync(fd);
      }
    },
  };
}
