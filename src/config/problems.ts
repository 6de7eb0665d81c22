// Collects everything that is wrong with a configuration, each with its place, so that all is told at once.
import { LatchkeyError } from '../base/errors.ts';
import type { SecretValue } from '../base/secret-value.ts';
import type { CloudKeys } from './upstreams/cloud-keys.ts';

export type Path = readonly (string | number)[];

export interface Position {
  readonly line: number;
  readonly column: number;
  /** Where it is not the file that was asked: a source may be made of several. */
  readonly file?: string;
}

/** A file of the configuration, able to say where in it a path is. */
export interface Located {
  readonly file: string;
  /** Of the value at the path (of its key with `key`), or of the nearest thing around it that exists. */
  locate(path: Path, part?: 'key' | 'value'): Position | undefined;
  /** What the file itself calls it, where its keys are not ours. */
  nameOf?(path: Path): string | undefined;
  /** A token that the file of another tool holds: its own rules allow that. */
  readonly token?: SecretValue | undefined;
  /** Certificates to trust that it holds, in PEM. */
  readonly authority?: string | undefined;
  /** Keys of a cloud, as the token. */
  readonly cloudKeys?: CloudKeys | undefined;
  /** Where relative paths start; default: the folder of the file. */
  readonly folder?: string;
}

/** Somewhere in a file: messages and relative paths start from it. */
export class Place {
  readonly source: Located;
  readonly path: Path;

  constructor(source: Located, path: Path) {
    this.source = source;
    this.path = path;
  }

  at(...path: Path): Place {
    return new Place(this.source, [...this.path, ...path]);
  }

  /** `files[2].mode` */
  get name(): string {
    return this.source.nameOf?.(this.path) ?? formatPath(this.path);
  }

  /** `/etc/latchkey/latchkey.yaml:12:5`, for naming the other place of two. */
  toString(): string {
    const position = this.source.locate(this.path, 'key');
    return position === undefined
      ? this.source.file
      : `${position.file ?? this.source.file}:${position.line}:${position.column}`;
  }
}

export interface ConfigProblem {
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** `files[2].mode`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, what was expected, what to do. */
  readonly message: string;
}

/** All that is wrong; the message has a line for each: `FILE:LINE:COL: path: what`. */
export class ConfigError extends LatchkeyError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super('config_invalid', problems.map(formatProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface Problems {
  add(place: Place, message: string, part?: 'key' | 'value'): void;
  /** For what has no path: a file that cannot be read, bad YAML. */
  addAt(file: string, position: Position | undefined, message: string, path?: string): void;
  /** What is worth knowing, and stops nothing: of the key. */
  warn(place: Place, message: string): void;
  warnAt(file: string, position: Position | undefined, message: string, path?: string): void;
  /** Why something may be wrong at this place: told with what is found wrong there, else not at all. */
  suspect(file: string, position: Position, why: string): void;
  readonly warnings: readonly string[];
  /** Throws a ConfigError when there is any. */
  throwIfAny(): void;
}

export function createProblems(): Problems {
  const found = new Map<string, ConfigProblem>();
  const put = (problem: ConfigProblem) => found.set(formatProblem(problem), problem);
  const warnings = new Set<string>();
  const suspicions = new Map<string, string>();
  const at = (place: Place, message: string, part: 'key' | 'value'): ConfigProblem => {
    const position = place.source.locate(place.path, part);
    return problemAt(position?.file ?? place.source.file, position, message, place.name);
  };
  const withReason = (problem: ConfigProblem): ConfigProblem => {
    const why = suspicions.get(placeOf(problem));
    return why === undefined ? problem : { ...problem, message: `${problem.message}; ${why}` };
  };
  return {
    add: (place, message, part = 'value') => void put(at(place, message, part)),
    addAt: (...said) => void put(problemAt(...said)),
    warn: (place, message) => void warnings.add(formatProblem(at(place, message, 'key'))),
    warnAt: (...said) => void warnings.add(formatProblem(problemAt(...said))),
    suspect(file, { line, column }, why) {
      suspicions.set(placeOf({ file, line, column }), why);
    },
    get warnings() {
      return [...warnings];
    },
    throwIfAny() {
      const all = [...found.values()];
      if (all.length > 0)
        throw new ConfigError(inOrder(all.filter((one) => !isToldBy(one, all)).map(withReason)));
    },
  };
}

function problemAt(file: string, position: Position | undefined, message: string, path = ''): ConfigProblem {
  return { file, line: position?.line, column: position?.column, path, message };
}

/** What is missing is not told beside the misspelt key that is meant for it. */
function isToldBy({ path, message }: ConfigProblem, all: readonly ConfigProblem[]): boolean {
  const [, missing] = /^missing (\w+)/.exec(message) ?? [];
  if (missing === undefined) return false;
  return all.some((other) => other.path.startsWith(`${path}.`) && other.message.includes(missing));
}

/** Two places say the same; `what` is it. */
export function reportTwice(problems: Problems, place: Place, first: Place, what = 'this key'): void {
  problems.add(place, `${what} is there twice, first at ${String(first)}; remove or rename one`, 'key');
}

/** `['files', 2, 'mode']` is `files[2].mode`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

function formatProblem(problem: ConfigProblem): string {
  return `${placeOf(problem)}: ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`;
}

function placeOf({ file, line, column }: Pick<ConfigProblem, 'file' | 'line' | 'column'>): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}

/** By line within a file; the files stay in the order in which their first problem came. */
function inOrder(problems: ConfigProblem[]): ConfigProblem[] {
  const files = [...new Set(problems.map((problem) => problem.file))];
  return problems.sort(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
}
