// The end of an audit file, however long it is: what was decided last.
import { open } from 'node:fs/promises';
import { type AuditRecord, auditRecordOf } from '../../audit/query-audit.ts';

const readBytes = 128 * 1024;

/** At most the last `most`, newest first. Rejects as reading does. */
export async function lastAuditRecords(path: string, most: number): Promise<AuditRecord[]> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const begin = Math.max(0, size - readBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - begin), 0, size - begin, begin);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    // The first may be the rest of one.
    return lines
      .slice(begin === 0 ? 0 : 1)
      .reverse()
      .flatMap((line) => auditRecordOf(line) ?? [])
      .slice(0, most);
  } finally {
    await file.close();
  }
}
