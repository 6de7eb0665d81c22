// `latchkey audit query NAME`: who asked for a secret, when, and what they got; from the audit files, whether those callers
// are still there or not.
import { queryAuditFiles } from '../../agent/offline/query-audit-files.ts';
import type { AuditRecord } from '../../api/audit-record.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { parseDuration } from '../../base/time/duration.ts';
import { loadConfig } from '../../config/load.ts';
import { printJson, printText, say, terminalWidth } from '../output.ts';
import { formatTable } from '../text/table.ts';

interface AuditQueryOptions {
  config?: string[] | undefined;
  /** One at most; none: of any secret. */
  names: string[];
  files: string[];
  since: string;
  uid?: number | undefined;
  denied: boolean;
  limit: number;
  json: boolean;
}

/** 0, also when nobody asked. */
export async function runAuditQuery(options: AuditQueryOptions): Promise<number> {
  const { names, uid, limit } = options;
  const [name, ...others] = names;
  if (others.length > 0) {
    throw new LatchkeyError('usage', `audit query: expected one name at most, got ${names.length}`);
  }
  if (!(limit >= 1)) {
    throw new LatchkeyError('usage', `audit query: --limit: expected at least 1, got ${limit}`);
  }
  const from = Date.now() - parseDuration(options.since);
  const records = await queryAuditFiles(filesOf(options), { name, uid, from }, limit);
  const shown = options.denied ? records.filter(({ isAllowed }) => !isAllowed) : records;
  if (options.json) printJson(shown);
  else if (shown.length === 0)
    say(`nobody asked${name === undefined ? '' : ` for ${name}`} in the last ${options.since}`);
  else {
    const head = ['TIME', 'CALLER', 'ASKED FOR', 'VERSION', 'TIMES', 'ANSWER'];
    printText(formatTable(head, shown.map(rowOf), terminalWidth()));
  }
  return 0;
}

function filesOf({ files, config }: AuditQueryOptions): string | string[] {
  if (files.length > 0) return files;
  const path = loadConfig(config ?? [], { checks: 'none' }).audit?.file;
  if (path !== undefined) return path;
  throw new LatchkeyError('usage', 'audit query: the config has no audit file', {
    remedy: 'name the files with --file, or say `audit: { file: … }` in the config',
  });
}

function rowOf(record: AuditRecord): string[] {
  const { time, name, field, path, version, count, isAllowed, status, reason } = record;
  const what =
    name === undefined ? (path ?? '-') : [name, field].filter((one) => one !== undefined).join(' ');
  const answer = isAllowed ? `${status ?? '-'} by ${reason}` : `denied: ${reason}`;
  return [time, callerOf(record), what, String(version ?? '-'), String(count), answer];
}

function callerOf({ caller }: AuditRecord): string {
  const { uid, pid, unit, exe, token, unknown } = caller;
  const program = unit ?? exe;
  const who = uid === undefined ? (token ?? unknown ?? '-') : `uid ${String(uid)}, pid ${String(pid)}`;
  return program === undefined ? String(who) : `${String(who)}, ${String(program)}`;
}
