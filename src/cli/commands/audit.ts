// `latchkey audit verify`: the hash chain of the audit files, from the config or by name.
import { verifyAuditFiles } from '../../agent/verify-audit-files.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { loadConfig } from '../../config/load.ts';

interface AuditVerifyOptions {
  config?: string[] | undefined;
  files: string[];
  json: boolean;
}

/** 0: the chain is whole; 1: a line was changed, removed or added. */
export async function runAuditVerify(options: AuditVerifyOptions): Promise<number> {
  const path =
    options.files.length > 0 ? undefined : loadConfig(options.config ?? [], { checks: 'none' }).audit?.file;
  if (options.files.length === 0 && path === undefined) {
    throw new LatchkeyError('usage', 'audit verify: the config has no audit file', {
      remedy: 'name the files',
    });
  }
  const result = await verifyAuditFiles(path ?? options.files);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  for (const { file, line, what } of result.problems) process.stderr.write(`${file}:${line}: ${what}\n`);
  const end = result.endsOrderly ? '' : '; the last line is not that of an orderly stop';
  process.stderr.write(
    `${result.isIntact ? 'intact' : 'NOT intact'}: ${result.lines} lines, the last is number ${result.head.seq}${end}\n`,
  );
  return result.isIntact ? 0 : 1;
}
