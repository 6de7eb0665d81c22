// The audit files of a path, oldest first, or those that were named, checked as one chain.
import { auditFilesOf } from '../../audit/audit-file.ts';
import type { ChainHead } from '../../audit/audit-line.ts';
import { refusalFileOf } from '../../audit/refusal-trail.ts';
import { type AuditVerification, verifyAudit } from '../../audit/verify-audit.ts';

/** Of the file with the refusals, which has a chain of its own; undefined where nobody was refused yet. */
export async function verifyRefusals(path: string): Promise<AuditVerification | undefined> {
  const files = auditFilesOf(refusalFileOf(path));
  return files.length === 0 ? undefined : await verifyAuditFiles(files);
}

/**
 * A string is the path of the config, with its rotated files; a list is taken as it is. `expected` is the head of the
 * chain that a running agent told before.
 */
export async function verifyAuditFiles(
  files: string | readonly string[],
  expected?: ChainHead,
): Promise<AuditVerification> {
  return await verifyAudit(typeof files === 'string' ? auditFilesOf(files) : files, expected);
}
