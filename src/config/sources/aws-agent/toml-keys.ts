// The keys of a TOML file one by one, each by its whole name and where it stands: tables are walked, lists are values.
import { parse, TomlError } from 'smol-toml';
import type { Position } from '../../problems.ts';
import type { Origin, Report } from '../hcl/report.ts';

export interface TomlKey {
  /** `capabilities.secrets_manager.http_port`. */
  readonly name: string;
  readonly value: unknown;
  readonly origin: Origin;
}

/** Undefined: it is not TOML, which is told. */
export function tomlKeys(file: string, text: string, report: Report): TomlKey[] | undefined {
  const places = placesOf(text);
  const originOf = (name: string): Origin => ({ file, position: places.get(name), name });
  try {
    return leaves(parse(text), '').map(({ name, value }) => ({ name, value, origin: originOf(name) }));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = ''] = error.message.split('\n');
    const position = { line: error.line, column: error.column };
    report.problem({ file, position, name: '' }, `not valid TOML: ${message}`);
    return undefined;
  }
}

function leaves(table: object, prefix: string): { name: string; value: unknown }[] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]) => {
    const name = `${prefix}${key}`;
    return isTable(value) ? leaves(value, `${name}.`) : [{ name, value }];
  });
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Where keys stand that have a line of their own, below the header before them. */
function placesOf(text: string): Map<string, Position> {
  const places = new Map<string, Position>();
  let header = '';
  for (const [index, line] of text.split('\n').entries()) {
    const table = /^\s*\[\[?([^\]]+)\]/.exec(line)?.[1];
    const key = /^\s*([\w.\-"' ]+?)\s*=/.exec(line)?.[1];
    if (table !== undefined) header = `${plainName(table)}.`;
    const name = table === undefined ? key && `${header}${plainName(key)}` : plainName(table);
    const position = { line: index + 1, column: line.search(/\S/) + 1 };
    if (name !== undefined && !places.has(name)) places.set(name, position);
  }
  return places;
}

function plainName(name: string): string {
  return name.replaceAll(/["'\s]/g, '');
}
