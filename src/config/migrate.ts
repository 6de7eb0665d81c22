// What the files of another tool are in latchkey.yaml: the text with what is worth knowing at its place, and a report. Reads the
// files and asks nobody; `isSame` reads both again and compares what they mean.
import { isDeepStrictEqual } from 'node:util';
import { dump } from 'js-yaml';
import { loadConfig, loadConfigText } from './load.ts';
import { ConfigError, createProblems } from './problems.ts';
import type { ResolvedConfig } from './resolved.ts';
import { type ForeignOptions, readForeign, type TextFile, type Tool } from './sources/foreign.ts';
import type { Note } from './sources/hcl/report.ts';

export interface Migration {
  /** The text of latchkey.yaml. */
  readonly yaml: string;
  readonly tool: Tool;
  readonly notes: readonly Note[];
}

/** Throws a ConfigError with every problem and its place. */
export function migrate(files: readonly TextFile[], options: Partial<ForeignOptions> = {}): Migration {
  const problems = createProblems();
  const shown = { env: {}, folder: process.cwd(), isMigration: true, ...options };
  const read = readForeign(files, shown, problems);
  problems.throwIfAny();
  if (read === undefined) throw new ConfigError([]);
  return { yaml: textOf(read.source.value, files, read.tool), tool: read.tool, notes: read.notes };
}

/** What differs between the meaning of the files and that of the text; empty: nothing. */
export function differences(
  paths: readonly string[],
  yaml: string,
  foreign: Partial<ForeignOptions> = {},
): string[] {
  const theirs = loadConfig(paths, { env: {}, checks: 'text', foreign: { isMigration: true, ...foreign } });
  const ours = readBack(yaml);
  if (Array.isArray(ours)) return ours;
  const sections = Object.keys(theirs) as (keyof ResolvedConfig)[];
  return sections
    .filter((section) => section !== 'sources' && section !== 'warnings')
    .flatMap((section) => compare(section, plain(theirs, section), plain(ours, section)));
}

/** Or what is wrong with it: a place in what was read that nobody filled in. */
function readBack(yaml: string): ResolvedConfig | string[] {
  try {
    return loadConfigText('latchkey.yaml', yaml, { env: {}, checks: 'text' });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `latchkey.yaml does not take ${path}: ${message}`);
  }
}

/** Where a section is a list or a map, only what differs of it. */
function compare(path: string, theirs: unknown, ours: unknown): string[] {
  // What messages call it is each file's own; a token in a file does not come into the other.
  if (isDeepStrictEqual(theirs, ours) || path.endsWith('.place')) return [];
  if (/^upstreams\.\d+\.auth\.token$/.test(path) && ours === undefined) return [];
  if (typeof theirs === 'object' && typeof ours === 'object' && theirs !== null && ours !== null) {
    const keys = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
    return [...keys].flatMap((key) =>
      compare(`${path}.${key}`, Reflect.get(theirs, key), Reflect.get(ours, key)),
    );
  }
  return [`${path}: ${JSON.stringify(theirs)} there, ${JSON.stringify(ours)} here`];
}

/** Listeners are called by their place in the list: each file has words of its own for them. */
function plain(config: ResolvedConfig, section: keyof ResolvedConfig): unknown {
  const places = new Map(config.listeners.map(({ place }, index) => [place, `listeners[${index}]`]));
  return JSON.parse(JSON.stringify(config[section] ?? null), (key, value: unknown) =>
    key === 'token' && typeof value === 'string' ? (places.get(value) ?? value) : value,
  );
}

const sectionNotes: Readonly<Record<string, string>> = {
  upstreams: 'Where the secrets come from, and how to log in.',
  template:
    'As there: templates may read and write everywhere, and commands have the whole environment. Narrow it when you can.',
  files:
    'Default here would be mode 0600; `keep` is theirs: the mode of the file that is there, 0644 for a new one.',
  processes: 'The program that was run there.',
  listeners:
    'Open to whoever reaches them, as there. A unix socket without `open`, and rules in `access`, say who may have what.',
  agent: 'How the agent itself begins and ends.',
  log: 'The log goes to stderr where no file is named.',
};

const tokenNote =
  'Whoever shows the token is served, as there. A unix socket, and rules in `access`, say who may have what.';

function textOf(value: unknown, files: readonly TextFile[], tool: string): string {
  const names = files.map(({ file }) => file).join(', ');
  const parts = Object.entries(value as Record<string, unknown>).map(([section, content]) => {
    const note = section === 'listeners' && tool === 'aws-agent' ? tokenNote : sectionNotes[section];
    const text = dump({ [section]: content }, { lineWidth: -1, noRefs: true });
    return `${note === undefined ? '' : `# ${note}\n`}${text}`;
  });
  return `# Made by \`latchkey migrate\` from ${names} (${tool}).\n\n${parts.join('\n')}`;
}
