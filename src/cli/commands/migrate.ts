// `latchkey migrate FILE…`: what the files of another tool are in latchkey.yaml. Nothing is written without --output.
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LatchkeyError } from '../../base/errors.ts';
import { readNamedFileSync } from '../../base/paths/controlled-file.ts';
import { holdEntrySync } from '../../base/paths/held-folder.ts';
import { PathFault, pathErrorText, readingOnly } from '../../base/paths/path-trust.ts';
import { differences, type Migration, migrate } from '../../config/migrate.ts';
import type { Note, NoteKind } from '../../config/sources/hcl/report.ts';
import { agentFiles, configFiles } from '../foreign/config-files.ts';
import { say } from '../output.ts';

interface MigrateOptions {
  files: readonly string[];
  check: boolean;
  output?: string | undefined;
  from?: 'vault-agent' | 'consul-template' | 'envconsul' | 'aws-agent' | undefined;
}

/** 0; with --check 1 when the two do not mean the same. */
export async function runMigrate({ files, check, output, from }: MigrateOptions): Promise<number> {
  const all = configFiles(files);
  if (all.length === 0) throw new LatchkeyError('usage', 'migrate: expected the name of a file, got none');
  const target = output === undefined ? undefined : resolve(output);
  if (target !== undefined && existsSync(target)) {
    throw new LatchkeyError('usage', `--output: ${target} is there already`, { remedy: 'name another file' });
  }
  const { paths, result } = migrationOf(files, all, from);
  if (target === undefined) process.stdout.write(result.yaml);
  else writeNew(target, result.yaml);
  report(result);
  return check ? compare(paths, result) : 0;
}

/** Of a folder each tool reads other files: those of Vault Agent are told by their names, else every one counts. */
function migrationOf(files: readonly string[], all: readonly string[], tool: MigrateOptions['from']) {
  const named = agentFiles(files).map((path) => resolve(path));
  const read = (paths: readonly string[]) => {
    const texts = paths.map((file) => ({ file, text: readText(file) }));
    return { paths, result: migrate(texts, { tool }) };
  };
  const isOfAgent = tool === undefined || tool === 'vault-agent';
  if (!isOfAgent || isDeepStrictEqual(named, all) || !named.every((path) => all.includes(path)))
    return read(all);
  const some = read(named);
  return some.result.tool === 'vault-agent' ? some : read(all);
}

/** To nowhere that somebody else's link leads. */
function writeNew(target: string, text: string): void {
  try {
    const { folder, name } = holdEntrySync(target, { trust: readingOnly });
    try {
      writeFileSync(folder.entry(name), text, { mode: 0o640, flag: 'wx' });
    } finally {
      folder.release();
    }
  } catch (error) {
    throw new LatchkeyError('usage', `--output: ${target} cannot be written: ${pathErrorText(error)}`, {
      cause: error,
      remedy: error instanceof PathFault ? error.remedy : 'name another file',
    });
  }
}

const longestConfig = 16 * 2 ** 20;

function readText(file: string): string {
  try {
    return readNamedFileSync(file, longestConfig).toString('utf8');
  } catch (error) {
    throw new LatchkeyError('usage', `${file}: cannot be read`, { cause: error });
  }
}

const titles: Readonly<Record<NoteKind, string>> = {
  ignored: 'Without a counterpart here',
  differs: 'Done in another way',
  advice: 'Better left behind',
};

/** On stderr: the text on stdout is for a file. */
function report({ notes, tool }: Migration): void {
  say(`read as ${tool}`);
  for (const kind of ['ignored', 'differs', 'advice'] as const) {
    const some = notes.filter((note) => note.kind === kind);
    if (some.length === 0) continue;
    say('');
    say(`${titles[kind]}:`);
    for (const note of some) say(`  ${placeOf(note)}${note.message}`);
  }
}

function placeOf({ origin }: Note): string {
  const { file, position, name } = origin;
  const place = position === undefined ? file : `${file}:${position.line}:${position.column}`;
  return `${place}: ${name === '' ? '' : `${name}: `}`;
}

function compare(paths: readonly string[], { yaml, tool }: Migration): number {
  const found = differences(paths, yaml, { tool });
  if (found.length === 0) {
    say('');
    say('checked: both mean the same');
    return 0;
  }
  say('');
  say('checked: they do not mean the same:');
  for (const line of found) say(`  ${line}`);
  return 1;
}
