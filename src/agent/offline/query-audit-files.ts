// The audit files of a path with those of the refusals, asked in the order of time.
import type { AuditRecord } from '../../api/audit-record.ts';
import { auditFilesOf } from '../../audit/audit-file.ts';
import { type AuditQuestion, queryAudit } from '../../audit/query-audit.ts';
import { refusalFileOf } from '../../audit/refusal-trail.ts';

/** A string is the path of the config; a list is taken as it is. At most the last `most`. */
export async function queryAuditFiles(
  files: string | readonly string[],
  question: AuditQuestion,
  most: number,
): Promise<AuditRecord[]> {
  const list =
    typeof files === 'string' ? [...auditFilesOf(files), ...auditFilesOf(refusalFileOf(files))] : files;
  const found: AuditRecord[] = [];
  for await (const record of queryAudit(list, question)) {
    found.push(record);
    if (found.length >= most * 2) keepLast(found, most);
  }
  keepLast(found, most);
  return found;
}

function keepLast(records: AuditRecord[], most: number): void {
  records.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  if (records.length > most) records.splice(0, records.length - most);
}
