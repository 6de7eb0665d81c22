// The end of an audit file and of the one with its refusals, however long they are: what was decided last.
import { open } from 'node:fs/promises';
import type { AuditRecord } from '../../api/audit-record.ts';
import { auditRecordOf } from '../../audit/query-audit.ts';
import { refusalFileOf } from '../../audit/refusal-trail.ts';
import { errnoOf } from '../../base/system/errno.ts';

const readBytes = 128 * 1024;

/** At most the last `most`, newest first. Rejects as reading does; nobody may have been refused yet. */
export async function lastAuditRecords(path: string, most: number): Promise<AuditRecord[]> {
  const refusals = endOf(refusalFileOf(path)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const [answered, refused] = await Promise.all([endOf(path), refusals]);
  return [...answered, ...refused].sort((a, b) => (a.time < b.time ? 1 : -1)).slice(0, most);
}

async function endOf(path: string): Promise<AuditRecord[]> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const begin = Math.max(0, size - readBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - begin), 0, size - begin, begin);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    // The first may be the rest of one.
    return lines.slice(begin === 0 ? 0 : 1).flatMap((line) => auditRecordOf(line) ?? []);
  } finally {
    await file.close();
  }
}
