// Loads the configuration: finds the files, reads, validates, merges and resolves them; tells everything that is wrong at once.

import { readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LatchkeyError } from '../base/errors.ts';
import { isFolder } from '../base/paths/look-at.ts';
import type { Environment } from '../base/surroundings.ts';
import { type Locate, locateIn } from './places.ts';
import { createProblems, type Problems } from './problems.ts';
import { checkModes } from './resolve/check-modes.ts';
import {
  checkAccounts,
  checkHookFiles,
  checkLinkedDestinations,
  checkTemplateFiles,
} from './resolve/host-checks.ts';
import { resolveConfig } from './resolve/resolve.ts';
import type { ResolvedConfig } from './resolved.ts';
import { type ForeignOptions, isForeignFile, readForeign, type TextFile } from './sources/foreign.ts';
import { checkLiterals } from './sources/literals.ts';
import { isMap, mergeSources } from './sources/merge.ts';
import { type ConfigSource, describeReadError, parseSource, readText } from './sources/read-source.ts';

const defaultConfigPath = '/etc/latchkey/latchkey.yaml';

export interface LoadOptions {
  /** Where VAULT_ADDR and the like come from; default: the environment of this program. */
  readonly env?: Environment;
  /**
   * What to look at beside the text. `none`: nothing, for a command that only wants to know where the agent listens.
   * `text`: nothing of the host, for a config that is meant for another one. `files` (the default): template files are
   * there, no two destinations are one, and nobody else can change what is trusted. `host`: users and groups exist too.
   */
  readonly checks?: 'none' | 'text' | 'files' | 'host';
  /** Gives also what has problems, as far as it can be read: for a look at what stands behind them, never for use. */
  readonly isTolerant?: boolean;
  /** Told where all of it stands, for what is found wrong with it later. */
  readonly onLocated?: (locate: Locate) => void;
  /** Of files of another tool: which one, and what its command line says. */
  readonly foreign?: Partial<ForeignOptions>;
}

/**
 * Loads files or folders (of which *.yaml, *.yml, *.json and *.hcl, sorted by name) as one configuration; none means
 * /etc/latchkey/latchkey.yaml and those beside it. Throws a ConfigError with every problem and its place.
 */
export function loadConfig(paths: readonly string[], options: LoadOptions = {}): ResolvedConfig {
  const problems = createProblems();
  if (paths.includes('')) {
    throw new LatchkeyError('usage', '--config: expected a path, got nothing', {
      remedy: 'look whether the variable that it comes from is set',
    });
  }
  const files = pathsOrDefault(paths, options).flatMap((path) => expandPath(resolve(path), problems));
  return resolveSources(readSources([...new Set(files)], problems, options), problems, options);
}

/** The same for text at hand; `file` is what messages call it and where relative paths start. */
export function loadConfigText(file: string, text: string, options: LoadOptions = {}): ResolvedConfig {
  const problems = createProblems();
  const path = resolve(file);
  if (isForeignFile({ file: path, text })) {
    const read = readForeign(
      [{ file: path, text }],
      { env: options.env ?? process.env, folder: process.cwd(), ...options.foreign },
      problems,
    );
    return resolveSources(read === undefined ? [] : [read.source], problems, options);
  }
  const source = parseSource(path, text, problems);
  return resolveSources(source === undefined ? [] : [source], problems, options);
}

/** Those of another tool make one source, whatever their number. */
function readSources(
  files: readonly string[],
  problems: Problems,
  { env = process.env, foreign = {} }: LoadOptions,
): ConfigSource[] {
  const texts = files.flatMap((file): TextFile[] => {
    const text = readText(file, problems);
    return text === undefined ? [] : [{ file, text }];
  });
  const theirs = foreign.tool === undefined ? texts.filter(isForeignFile) : texts;
  const own = texts.filter((text) => !theirs.includes(text));
  const sources = own.flatMap(({ file, text }) => parseSource(file, text, problems) ?? []);
  const hasForeign = theirs.length > 0 || foreign.tool !== undefined;
  if (!hasForeign && foreign.more !== undefined) {
    const message = 'these options are for files of Vault Agent; say it in the config';
    for (const { file } of foreign.more) problems.addAt(file, undefined, message);
  }
  const read =
    hasForeign && texts.length === files.length
      ? readForeign(theirs, { env, folder: process.cwd(), ...foreign }, problems)
      : undefined;
  return read === undefined ? sources : [read.source, ...sources];
}

function resolveSources(
  sources: readonly ConfigSource[],
  problems: Problems,
  { env = process.env, checks = 'files', isTolerant = false, onLocated }: LoadOptions,
): ResolvedConfig {
  for (const source of sources) if (source.isForeign !== true) checkLiterals(source, problems);
  const merged = mergeSources(sources, problems);
  onLocated?.(locateIn(merged));
  const config = resolveConfig(
    merged,
    env,
    problems,
    sources.flatMap((source) => source.files ?? source.file),
  );
  if (checks !== 'none') checkNotEmpty(sources, problems);
  const looksAtHost = checks === 'files' || checks === 'host';
  if (looksAtHost) {
    checkTemplateFiles(config, merged, problems);
    checkHookFiles(config, merged, problems);
    checkLinkedDestinations(config, merged, problems);
  }
  if (checks === 'host') checkAccounts(merged, problems);
  const modes = looksAtHost ? checkModes(config, merged, sources, env, problems) : undefined;
  if (!isTolerant) problems.throwIfAny();
  return {
    ...config,
    areModesStrict: modes?.areStrict ?? false,
    warnings: [...problems.warnings, ...(modes?.warnings ?? [])],
  };
}

/** A file that is being written is empty for a moment: taken for a config, it would end all that runs. */
function checkNotEmpty(sources: readonly ConfigSource[], problems: Problems): void {
  const [first] = sources;
  const isEmpty = ({ value }: ConfigSource) =>
    isMap(value) && Object.values(value).every((section) => section === null);
  if (first === undefined || !sources.every(isEmpty)) return;
  problems.addAt(
    first.file,
    { line: 1, column: 1 },
    'nothing is configured here; `latchkey generate-config` prints a start',
  );
}

/** Whether a file of this name, in a folder that is given as config, is a part of it. */
export function isConfigFileName(name: string): boolean {
  return /^[^.#].*\.(?:ya?ml|json|hcl)$/.test(name);
}

/** Those that `loadConfig` reads for these paths and are folders. */
export function configFoldersOf(paths: readonly string[], options: LoadOptions = {}): string[] {
  return pathsOrDefault(paths, options)
    .map((path) => resolve(path))
    .filter(isFolder);
}

/** A tool of which everything stands on the command line needs no file. */
function pathsOrDefault(paths: readonly string[], { foreign: { tool, more } = {} }: LoadOptions) {
  const isFileNeeded = paths.length === 0 && (tool === undefined || more === undefined);
  if (!isFileNeeded) return paths;
  // With all beside it, as the unit has it: whoever checks the config looks at what the agent reads.
  const folder = dirname(defaultConfigPath);
  return [isFolder(folder) ? folder : defaultConfigPath];
}

function expandPath(path: string, problems: Problems): string[] {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
    const names = readdirSync(path).filter(isConfigFileName);
    if (names.length === 0)
      problems.addAt(path, undefined, 'no *.yaml, *.yml, *.json or *.hcl file in this folder');
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    problems.addAt(path, undefined, describeReadError(error));
    return [];
  }
}
