// The keys of a block `config`, by the types that a method or a sink wants; those that nobody asks for are told.
import { resolve } from 'node:path';
import type { Environment } from '../../../base/surroundings.ts';
import { goBoolean } from '../../../base/text/go-boolean.ts';
import type { Path } from '../../problems.ts';
import type { Draft } from '../draft.ts';
import type { Said } from '../hcl/block.ts';
import { parseSeconds } from '../hcl/duration.ts';
import { sameName } from '../hcl/node.ts';
import type { Origin, Report } from '../hcl/report.ts';
import type { MapTree } from '../hcl/tree.ts';

export interface AuthContext {
  readonly draft: Draft;
  readonly report: Report;
  /** Of the upstream. */
  readonly path: Path;
  /** Where relative paths start. */
  readonly folder: string;
  readonly env: Environment;
}

export interface Settings {
  readonly origin: Origin;
  text(key: string): Said<string> | undefined;
  path(key: string): Said<string> | undefined;
  flag(key: string): Said<boolean> | undefined;
  duration(key: string): Said<number> | undefined;
  integer(key: string): Said<number> | undefined;
  /** The same in quotes, too. */
  looseInteger(key: string): Said<number> | undefined;
  /** Notes each key that nobody asked for. */
  end(known?: readonly string[]): void;
}

export function settingsOf(
  config: MapTree | undefined,
  origin: Origin,
  { report, folder }: AuthContext,
): Settings {
  const known = new Set<string>();

  function read<T>(
    key: string,
    expected: string,
    convert: (value: string | number | boolean) => T | undefined,
  ): Said<T> | undefined {
    known.add(key);
    const entry = config?.entries.get(key);
    if (entry === undefined) return undefined;
    const at: Origin = { file: origin.file, position: entry.value.position, name: `${origin.name}.${key}` };
    const value = entry.value.kind === 'scalar' ? convert(entry.value.value) : undefined;
    if (value === undefined) report.problem(at, `expected ${expected}`);
    return value === undefined ? undefined : { value, origin: at };
  }

  const text = (key: string) =>
    read(key, 'a string in quotes', (value) => (typeof value === 'string' ? value : undefined));
  return {
    origin,
    text,
    path(key) {
      const said = text(key);
      return said && { ...said, value: said.value === '' ? '' : resolve(folder, said.value) };
    },
    flag: (key) =>
      read(key, 'true or false', (value) =>
        typeof value === 'string' && value !== '' ? goBoolean(value) : Boolean(value),
      ),
    duration: (key) =>
      read(key, 'a duration such as "30s" or a number of seconds', (value) =>
        typeof value === 'number'
          ? value * 1000
          : typeof value === 'string'
            ? parseSeconds(value)
            : undefined,
      ),
    integer: (key) =>
      read(key, 'a whole number', (value) =>
        typeof value === 'number' && Number.isInteger(value) ? value : undefined,
      ),
    looseInteger: (key) =>
      read(key, 'a whole number', (value) =>
        /^[+-]?\d+$/.test(String(value)) && typeof value !== 'boolean' ? Number(value) : undefined,
      ),
    end(more = []) {
      for (const [name, { position }] of config?.entries ?? []) {
        if ([...known, ...more].some((other) => sameName(other, name))) continue;
        report.note(
          'ignored',
          { file: origin.file, position, name: `${origin.name}.${name}` },
          'is no key of this method: it is ignored',
        );
      }
    },
  };
}
