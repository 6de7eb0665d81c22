// A block read as consul-template reads all of its own: no key but the known ones, strings where strings are due, and the
// last of several blocks of one name. Problems are told under the file's own names.
import { constants } from 'node:os';
import { hintAt } from '../../../base/text/nearest.ts';
import type { Said } from './block.ts';
import { parseGoDuration } from './duration.ts';
import { sameName } from './node.ts';
import type { Origin, Report } from './report.ts';
import type { Entry, MapTree, Tree } from './tree.ts';

export interface Record {
  readonly origin: Origin;
  text(key: string): Said<string> | undefined;
  flag(key: string): Said<boolean> | undefined;
  integer(key: string): Said<number> | undefined;
  float(key: string): Said<number> | undefined;
  /** Milliseconds: `"30s"`, or a number of nanoseconds. */
  duration(key: string): Said<number> | undefined;
  /** `"0640"` in octal, or a number. */
  mode(key: string): Said<number> | undefined;
  /** A list, or a string whose commas divide it. */
  words(key: string): Said<readonly string[]> | undefined;
  signal(key: string): Said<string> | undefined;
  /** `wait = "5s:20s"` or a block with `min` and `max`. */
  wait(key: string): Said<Wait> | undefined;
  /** The last block of the name. */
  record(key: string): Record | undefined;
  /** All blocks of the name. */
  records(key: string): readonly Record[];
  has(key: string): boolean;
  isText(key: string): boolean;
  /** Makes a problem of each key that nobody asked for. */
  end(): void;
}

export interface Wait {
  readonly minMs: number | undefined;
  readonly maxMs: number | undefined;
}

export function createRecord(map: MapTree, origin: Origin, report: Report): Record {
  const known = new Set<string>();

  /** As it is written here, else the first in another spelling: a second one is no key of theirs. */
  function nameOf(key: string): string | undefined {
    return map.entries.has(key) ? key : [...map.entries.keys()].find((name) => sameName(name, key));
  }

  function find(key: string): Entry | undefined {
    known.add(key);
    const name = nameOf(key);
    return name === undefined ? undefined : map.entries.get(name);
  }

  function originOf(key: string, { position }: { readonly position: Origin['position'] }): Origin {
    return { file: origin.file, position, name: origin.name === '' ? key : `${origin.name}.${key}` };
  }

  function read<T>(
    key: string,
    expected: string,
    convert: (value: string | number | boolean) => T | undefined,
  ): Said<T> | undefined {
    const entry = find(key);
    if (entry === undefined) return undefined;
    const at = originOf(key, entry.value);
    const value = entry.value.kind === 'scalar' ? convert(entry.value.value) : undefined;
    if (value !== undefined) return { value, origin: at };
    report.problem(at, `expected ${expected}, got ${describeTree(entry.value)}`);
    return undefined;
  }

  function maps(key: string): [MapTree, Origin][] {
    const entry = find(key);
    if (entry === undefined) return [];
    const { value } = entry;
    const items: readonly Tree[] =
      value.kind === 'map' ? [value] : value.kind === 'scalar' ? [] : value.items;
    const found = items.filter((item): item is MapTree => item.kind === 'map');
    if (value.kind === 'scalar' || found.length < items.length) {
      report.problem(originOf(key, value), `expected a block in braces, got ${describeTree(value)}`);
      return [];
    }
    return found.map((item, index) => [item, originOf(found.length > 1 ? `${key}[${index}]` : key, item)]);
  }

  /** Of several one; their reader finds a lone block by its name as it is written here alone, and none in an empty list. */
  function lastMap(key: string): [MapTree, Origin] | undefined {
    const value = find(key)?.value;
    if (value === undefined) return undefined;
    const found = maps(key);
    const isList = value.kind === 'list' && value.items.length === 0;
    if (isList || (value.kind === 'blocks' && !map.entries.has(key))) {
      const got = isList ? 'an empty list' : 'another spelling of its name';
      report.problem(originOf(key, value), `expected a block ${key} in braces, got ${got}`);
    }
    return found.at(-1);
  }

  const number = (value: unknown) => (typeof value === 'number' ? value : undefined);

  return {
    origin,
    text: (key) =>
      read(key, 'a string in quotes', (value) => (typeof value === 'string' ? value : undefined)),
    flag: (key) =>
      read(key, 'true or false, without quotes', (value) => (typeof value === 'boolean' ? value : undefined)),
    integer: (key) =>
      read(key, 'a whole number', (value) => (Number.isInteger(value) ? number(value) : undefined)),
    float: (key) => read(key, 'a number', number),
    duration: (key) =>
      read(key, 'a duration such as "30s" or "5m"', (value) =>
        typeof value === 'string'
          ? parseGoDuration(value)
          : typeof value === 'number'
            ? value / 1e6
            : undefined,
      ),
    mode: (key) => read(key, 'a mode such as "0640"', (value) => modeOf(value)),
    signal: (key) =>
      read(key, 'the name of a signal such as "SIGHUP"', (value) =>
        typeof value === 'string' ? signalOf(value) : undefined,
      ),
    words(key) {
      const entry = find(key);
      if (entry === undefined) return undefined;
      const words = wordsOf(entry.value);
      const at = originOf(key, entry.value);
      if (words !== undefined) return { value: words, origin: at };
      report.problem(at, `expected a string or a list of strings, got ${describeTree(entry.value)}`);
      return undefined;
    },
    wait(key) {
      const entry = find(key);
      if (entry === undefined) return undefined;
      if (entry.value.kind === 'scalar') return read(key, 'a wait such as "5s" or "5s:20s"', waitOf);
      const [block, at] = lastMap(key) ?? [];
      if (block === undefined || at === undefined) return undefined;
      const inner = createRecord(block, at, report);
      inner.flag('bool');
      const value = { minMs: inner.duration('min')?.value, maxMs: inner.duration('max')?.value };
      inner.end();
      return { value, origin: at };
    },
    record(key) {
      const [block, at] = lastMap(key) ?? [];
      return block && at && createRecord(block, at, report);
    },
    records: (key) => maps(key).map(([block, at]) => createRecord(block, at, report)),
    has: (key) => find(key) !== undefined,
    isText: (key) => find(key)?.value.kind === 'scalar',
    end() {
      const names = [...known];
      for (const [name, { position }] of map.entries) {
        const meant = names.find((other) => sameName(other, name));
        if (meant !== undefined && nameOf(meant) === name) continue;
        const hint = meant === undefined ? hintAt(name, names) : `it is there as ${nameOf(meant)}, too`;
        report.problem(originOf(name, { position }), `unknown key; ${hint}`);
      }
    },
  };
}

function describeTree(tree: Tree): string {
  if (tree.kind === 'scalar')
    return typeof tree.value === 'string'
      ? tree.value === ''
        ? 'an empty string'
        : 'a string that is none'
      : String(tree.value);
  return tree.kind === 'list' ? 'a list' : 'a block';
}

function modeOf(value: string | number | boolean): number | undefined {
  if (typeof value === 'number') return value >= 0 ? Math.trunc(value) : undefined;
  if (typeof value !== 'string' || !/^[0-7]+$/.test(value)) return undefined;
  const mode = Number.parseInt(value, 8);
  return mode < 2 ** 12 ? mode : undefined;
}

function wordsOf(tree: Tree): readonly string[] | undefined {
  if (tree.kind === 'scalar') {
    if (typeof tree.value !== 'string') return undefined;
    return tree.value === '' ? [] : tree.value.split(',');
  }
  if (tree.kind !== 'list') return undefined;
  const words = tree.items.map((item) =>
    item.kind === 'scalar' && typeof item.value === 'string' ? item.value : undefined,
  );
  return words.every((word) => word !== undefined) ? words : undefined;
}

/** `SIGHUP` in any case; empty for none. */
function signalOf(text: string): string | undefined {
  const name = text.toUpperCase();
  if (name === '' || name === 'SIGNULL') return '';
  return name in constants.signals && name !== 'SIGCHLD' && name !== 'SIGURG' ? name : undefined;
}

/** `MIN` alone means at most four times as much. */
function waitOf(value: string | number | boolean): Wait | undefined {
  if (typeof value !== 'string') return undefined;
  const [min, max, ...more] = value
    .trim()
    .split(':')
    .map((part) => parseGoDuration(part.trim()));
  if (min === undefined || min < 0 || more.length > 0) return undefined;
  if (!value.includes(':')) return { minMs: min, maxMs: 4 * min };
  return max === undefined || max < min ? undefined : { minMs: min, maxMs: max };
}
