// Loads the configuration: finds the files, reads, validates, merges and resolves them; tells everything that is wrong at once.
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createProblems, type Problems } from './problems.ts';
import { checkModes } from './resolve/check-modes.ts';
import { checkAccounts, checkLinkedDestinations, checkTemplateFiles } from './resolve/host-checks.ts';
import { resolveConfig } from './resolve/resolve.ts';
import type { Environment } from './resolve/resolve-context.ts';
import type { ResolvedConfig } from './resolved.ts';
import { checkLiterals } from './sources/literals.ts';
import { isMap, mergeSources } from './sources/merge.ts';
import { type ConfigSource, describeReadError, parseSource, readSource } from './sources/read-source.ts';

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
}

/**
 * Loads files or folders (of which *.yaml, *.yml and *.json, sorted by name) as one configuration; none means
 * /etc/latchkey/latchkey.yaml. Throws a ConfigError with every problem and its place.
 */
export function loadConfig(paths: readonly string[], options: LoadOptions = {}): ResolvedConfig {
  const problems = createProblems();
  const files = (paths.length === 0 ? [defaultConfigPath] : paths).flatMap((path) =>
    expandPath(resolve(path), problems),
  );
  const sources = [...new Set(files)].flatMap((file) => readSource(file, problems) ?? []);
  return resolveSources(sources, problems, options);
}

/** The same for text at hand; `file` is what messages call it and where relative paths start. */
export function loadConfigText(file: string, text: string, options: LoadOptions = {}): ResolvedConfig {
  const problems = createProblems();
  const source = parseSource(resolve(file), text, problems);
  return resolveSources(source === undefined ? [] : [source], problems, options);
}

function resolveSources(
  sources: readonly ConfigSource[],
  problems: Problems,
  { env = process.env, checks = 'files' }: LoadOptions,
): ResolvedConfig {
  for (const source of sources) checkLiterals(source, problems);
  const merged = mergeSources(sources, problems);
  const config = resolveConfig(
    merged,
    env,
    problems,
    sources.map((source) => source.file),
  );
  if (checks !== 'none') checkNotEmpty(sources, problems);
  const looksAtHost = checks === 'files' || checks === 'host';
  if (looksAtHost) {
    checkTemplateFiles(config, merged, problems);
    checkLinkedDestinations(config, merged, problems);
  }
  if (checks === 'host') checkAccounts(merged, problems);
  const warnings = looksAtHost ? checkModes(config, merged, sources, env, problems) : [];
  problems.throwIfAny();
  return { ...config, warnings };
}

/** A file that is being written is empty for a moment: taken for a config, it would end all that runs. */
function checkNotEmpty(sources: readonly ConfigSource[], problems: Problems): void {
  const [first] = sources;
  const isEmpty = ({ value }: ConfigSource) =>
    isMap(value) && Object.values(value).every((section) => section === null);
  if (first === undefined || !sources.every(isEmpty)) return;
  problems.addAt(
    first.file,
    undefined,
    'nothing is configured here; `latchkey generate-config` prints a start',
  );
}

/** Whether a file of this name, in a folder that is given as config, is a part of it. */
export function isConfigFileName(name: string): boolean {
  return /^[^.].*\.(?:ya?ml|json)$/.test(name);
}

/** Those of the paths that are folders. */
export function configFoldersOf(paths: readonly string[]): string[] {
  return paths
    .map((path) => resolve(path))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
}

function expandPath(path: string, problems: Problems): string[] {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
    const names = readdirSync(path).filter(isConfigFileName);
    if (names.length === 0) problems.addAt(path, undefined, 'no *.yaml, *.yml or *.json file in this folder');
    return names.sort().map((name) => join(path, name));
  } catch (error) {
    problems.addAt(path, undefined, describeReadError(error));
    return [];
  }
}
