// Reads one file of envconsul, its older keys too, which it moves to where they are today.
import { readCommon } from '../consul-template/read-common.ts';
import type { HclObject } from '../hcl/node.ts';
import { createRecord, type Record } from '../hcl/record.ts';
import { type Origin, type Report, wholeFile } from '../hcl/report.ts';
import { decodeTree, type Entry, type MapTree, type Tree } from '../hcl/tree.ts';

export type SaidEnvconsul = ReturnType<typeof readEnvconsul>;

/** Throws an HclError. */
export function readEnvconsul(file: string, root: HclObject, report: Report) {
  const nowhere = wholeFile(file);
  const record = createRecord(moveOldKeys(decodeTree(root), nowhere, report), nowhere, report);
  const said = {
    ...readCommon(record, report),
    secrets: record.records('secret').map(readPrefix),
    /** From Consul, which is not asked. */
    prefixes: record.records('prefix').map(readPrefix),
    services: record.records('service').map(readService),
    pristine: record.flag('pristine'),
    sanitize: record.flag('sanitize'),
    upcase: record.flag('upcase'),
  };
  record.end();
  return said;
}

export type SaidPrefix = ReturnType<typeof readPrefix>;

function readPrefix(record: Record) {
  const prefix = {
    origin: record.origin,
    path: record.text('path'),
    format: record.text('format'),
    noPrefix: record.flag('no_prefix'),
    keys: record.records('key').flatMap((key) => {
      const name = key.text('name');
      const format = key.text('format');
      key.end();
      return name === undefined ? [] : [{ name: name.value, format: format?.value }];
    }),
  };
  record.end();
  return prefix;
}

function readService(record: Record): Origin {
  for (const key of ['query', 'format_id', 'format_name', 'format_address', 'format_tag', 'format_port'])
    record.text(key);
  record.end();
  return record.origin;
}

/** `token`, `auth`, `ssl`, `retry`, `splay` and `timeout` stood at the top once; `path` did too, and means nothing now. */
function moveOldKeys(root: MapTree, nowhere: Origin, report: Report): MapTree {
  const entries = new Map(root.entries);
  const note = (key: string, entry: Entry, where: string) =>
    report.note('differs', { ...nowhere, position: entry.position, name: key }, `stands in ${where} today`);
  const move = (key: string, block: string, inner: string, keep = false) => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    if (!keep) entries.delete(key);
    note(key, entry, `${block} { ${inner} … }`);
    const value = entry.value.kind === 'blocks' ? (entry.value.items.at(-1) ?? entry.value) : entry.value;
    entries.set(block, {
      position: entry.position,
      value: withEntry(entries.get(block)?.value, inner, { ...entry, value }),
    });
  };
  const path = entries.get('path');
  if (path !== undefined)
    report.note(
      'ignored',
      { ...nowhere, position: path.position, name: 'path' },
      'is no key any more; remove it',
    );
  entries.delete('path');
  move('auth', 'consul', 'auth');
  move('splay', 'exec', 'splay');
  const retry = entries.get('retry');
  if (retry !== undefined) note('retry', retry, 'consul and in vault');
  entries.delete('retry');
  move('ssl', 'consul', 'ssl', true);
  move('ssl', 'vault', 'ssl');
  move('timeout', 'exec', 'kill_timeout');
  move('token', 'consul', 'token');
  return { ...root, entries };
}

function withEntry(tree: Tree | undefined, key: string, entry: Entry): Tree {
  const block = tree?.kind === 'blocks' ? tree.items.at(-1) : tree;
  const entries = block?.kind === 'map' ? block.entries : new Map<string, Entry>();
  return { kind: 'map', position: entry.position, entries: new Map([...entries, [key, entry]]) };
}
