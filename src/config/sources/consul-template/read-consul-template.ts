// Reads one file of consul-template: a key that it does not know is an error there, and here.
import type { Said } from '../hcl/block.ts';
import type { HclObject } from '../hcl/node.ts';
import { createRecord, type Record } from '../hcl/record.ts';
import { type Report, wholeFile } from '../hcl/report.ts';
import { decodeTree } from '../hcl/tree.ts';
import { readCommon, readNomad } from './read-common.ts';
import { readTemplate } from './read-template.ts';

export type SaidConsulTemplate = ReturnType<typeof readConsulTemplate>;

/** Throws an HclError. */
export function readConsulTemplate(file: string, root: HclObject, report: Report) {
  const record = createRecord(decodeTree(root), wholeFile(file), report);
  const delimiters = record.record('default_delimiters');
  const said = {
    ...readCommon(record, report),
    templates: record.records('template').map(readTemplate),
    leftDelimiter: delimiters?.text('left'),
    rightDelimiter: delimiters?.text('right'),
    logFile: readLogFile(record),
  };
  delimiters?.end();
  readNomad(record, report);
  readDeduplicate(record, report);
  record.flag('template_error_fatal');
  const failed = record.flag('err_on_failed_lookup');
  if (failed?.value === true)
    report.note('differs', failed.origin, 'is ignored: what is not there is told, and asked for again');
  // Their own struct has these two without a name for the file, so that it takes them there too.
  record.flag('once');
  record.flag('parseonly');
  record.end();
  return said;
}

function readLogFile(record: Record): Said<string> | undefined {
  const file = record.record('log_file');
  const path = file?.text('path');
  file?.integer('log_rotate_bytes');
  file?.duration('log_rotate_duration');
  file?.integer('log_rotate_max_files');
  file?.end();
  return path;
}

function readDeduplicate(record: Record, report: Report): void {
  const deduplicate = record.record('deduplicate');
  if (deduplicate === undefined) return;
  deduplicate.flag('enabled');
  deduplicate.text('prefix');
  for (const key of ['max_stale', 'ttl', 'block_query_wait']) deduplicate.duration(key);
  deduplicate.end();
  report.note(
    'ignored',
    deduplicate.origin,
    'works over Consul, which is not asked here: each host renders its own files',
  );
}
