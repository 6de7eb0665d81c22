// Reads one config file: YAML 1.2 or JSON to plain values, with the line and column of each on demand. Knows no keys.

import {
  COLLECTION_STYLE,
  constructFromEvents,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml';
import { readNamedFileSync } from '../../base/paths/controlled-file.ts';
import { PathFault } from '../../base/paths/path-trust.ts';
import { errnoOf } from '../../base/system/errno.ts';
import { type Located, type Path, Place, type Position, type Problems } from '../problems.ts';

export interface ConfigSource extends Located {
  readonly value: unknown;
  /** Made of the files of another tool, whose own rules say what may stand in them. */
  readonly isForeign?: boolean;
  /** All files that it was made of, where that is not `file` alone. */
  readonly files?: readonly string[];
}

const maxBytes = 16 * 2 ** 20;
const maxAliases = 1000;

/** Undefined when the file cannot be read; the reason is among the problems then. */
export function readText(file: string, problems: Problems): string | undefined {
  try {
    return readNamedFileSync(file, maxBytes).toString('utf8');
  } catch (error) {
    problems.addAt(file, undefined, describeReadError(error));
  }
  return undefined;
}

/** Undefined when it is no YAML; the reason is among the problems then. `file` is what messages call it. */
export function parseSource(file: string, text: string, problems: Problems): ConfigSource | undefined {
  const source = text.replace(/^\uFEFF/, '');
  try {
    const events = parseEvents(source, {});
    const documents = construct(source, events);
    const located: ConfigSource = {
      file,
      value: documents.values[0] ?? {},
      locate: (path, part) => locate(source, events, path, part ?? 'value'),
    };
    if (documents.values.length > 1) {
      const second = events.findIndex((event, at) => at > 0 && event.type === EVENT_ID.DOCUMENT);
      problems.addAt(
        file,
        positionOf(source, events[second + 1]),
        `expected one YAML document, got ${documents.values.length}; split the file`,
      );
    }
    if (documents.hasDuplicates) reportDuplicates(located, source, events, problems);
    return located;
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { mark, reason } = error;
    problems.addAt(
      file,
      mark && { line: mark.line + 1, column: mark.column + 1 },
      `not valid YAML: ${reason}${source.includes('\t') && /indent|tab/i.test(reason) ? '; indent with spaces' : ''}`,
    );
    return undefined;
  }
}

function construct(source: string, events: Event[]): { values: unknown[]; hasDuplicates: boolean } {
  try {
    return { values: constructFromEvents(events, { source, maxAliases }), hasDuplicates: false };
  } catch (error) {
    if (!(error instanceof YAMLException) || !/duplicate/i.test(error.reason)) throw error;
    // The parser stops at the first duplicate and names no other place: let the last one win, then look at all.
    return { values: constructFromEvents(events, { source, maxAliases, json: true }), hasDuplicates: true };
  }
}

/** Why a file or folder cannot be read, and what to do. */
export function describeReadError(error: unknown): string {
  if (error instanceof PathFault) return `${error.message}; ${error.remedy}`;
  const code = errnoOf(error);
  if (code === 'ENOENT')
    return 'no such file or folder; write one (`latchkey generate-config` prints a start), or name another with --config';
  if (code === 'EACCES') return 'not allowed to read this file; check its owner and mode';
  return `cannot be read (${code ?? 'unknown error'})`;
}

/** The index after the node that starts at `index`. */
function afterNode(events: readonly Event[], index: number): number {
  let depth = 0;
  let next = index;
  do {
    const type = events[next]?.type;
    if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE) depth += 1;
    else if (type === EVENT_ID.POP) depth -= 1;
    next += 1;
  } while (depth > 0 && next < events.length);
  return next;
}

function scalarText(source: string, event: Event | undefined): string | undefined {
  return event?.type === EVENT_ID.SCALAR ? getScalarValue(source, event as ScalarEvent) : undefined;
}

/** The indices of key and value of each pair of the mapping that starts at `index`. */
function* pairsOf(events: readonly Event[], index: number): Generator<[key: number, value: number]> {
  let key = index + 1;
  while (key < events.length && events[key]?.type !== EVENT_ID.POP) {
    const value = afterNode(events, key);
    yield [key, value];
    key = afterNode(events, value);
  }
}

function reportDuplicates(
  located: Located,
  source: string,
  events: readonly Event[],
  problems: Problems,
): void {
  const visit = (index: number, path: Path): void => {
    const type = events[index]?.type;
    if (type === EVENT_ID.SEQUENCE) {
      let item = index + 1;
      for (let i = 0; item < events.length && events[item]?.type !== EVENT_ID.POP; i++) {
        visit(item, [...path, i]);
        item = afterNode(events, item);
      }
    }
    if (type !== EVENT_ID.MAPPING) return;
    const seen = new Map<string, number>();
    for (const [key, value] of pairsOf(events, index)) {
      const name = scalarText(source, events[key]);
      if (name === undefined) continue;
      const first = seen.get(name);
      if (first !== undefined) {
        const { line } = positionOf(source, events[first]) ?? { line: 0 };
        problems.addAt(
          located.file,
          positionOf(source, events[key]),
          `${new Place(located, [...path, name]).name}: this key is there twice, first in line ${line}; remove one`,
        );
      }
      seen.set(name, first ?? key);
      visit(value, [...path, name]);
    }
  };
  visit(1, []);
}

function locate(
  source: string,
  events: readonly Event[],
  path: Path,
  part: 'key' | 'value',
): Position | undefined {
  let index = 1; // after the document's own event
  let position = positionOf(source, events[index]);
  for (const [depth, step] of path.entries()) {
    index = followAlias(source, events, index);
    const found = findStep(source, events, index, step);
    if (found === undefined) return position;
    index = found.value;
    const key = found.key === undefined ? undefined : events[found.key];
    const isKeyWanted = key !== undefined && part === 'key' && depth === path.length - 1;
    const shown = isKeyWanted || !startsOnItsLine(events[index]) ? (key ?? events[index]) : events[index];
    position = positionOf(source, shown) ?? positionOf(source, key) ?? position;
  }
  return position;
}

/** A map or a block of text begins below its key: the key is the better place to point at. */
function startsOnItsLine(event: Event | undefined): boolean {
  if (event?.type === EVENT_ID.MAPPING) return event.style === COLLECTION_STYLE.FLOW;
  if (event?.type !== EVENT_ID.SCALAR) return true;
  return event.style !== SCALAR_STYLE.LITERAL_BLOCK && event.style !== SCALAR_STYLE.FOLDED_BLOCK;
}

function findStep(
  source: string,
  events: readonly Event[],
  index: number,
  step: string | number,
): { key?: number; value: number } | undefined {
  if (typeof step === 'number') {
    if (events[index]?.type !== EVENT_ID.SEQUENCE) return undefined;
    let item = index + 1;
    for (let i = 0; i < step; i++) item = afterNode(events, item);
    return { value: item };
  }
  if (events[index]?.type !== EVENT_ID.MAPPING) return undefined;
  for (const [key, value] of pairsOf(events, index)) {
    if (scalarText(source, events[key]) === step) return { key, value };
  }
  return undefined;
}

function followAlias(source: string, events: readonly Event[], index: number): number {
  const event = events[index];
  if (event?.type !== EVENT_ID.ALIAS) return index;
  const anchor = source.slice(event.anchorStart, event.anchorEnd);
  const target = events.findLastIndex(
    (other, at) =>
      at < index &&
      'anchorStart' in other &&
      other.type !== EVENT_ID.ALIAS &&
      source.slice(other.anchorStart, other.anchorEnd) === anchor,
  );
  return target < 0 ? index : target;
}

function positionOf(source: string, event: Event | undefined): Position | undefined {
  const offset = offsetOf(event);
  if (offset === undefined || offset < 0) return undefined;
  const before = source.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

function offsetOf(event: Event | undefined): number | undefined {
  if (event?.type === EVENT_ID.SCALAR) {
    const isQuoted = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
    return event.valueStart - (isQuoted ? 1 : 0);
  }
  if (event?.type === EVENT_ID.MAPPING || event?.type === EVENT_ID.SEQUENCE) return event.start;
  if (event?.type === EVENT_ID.ALIAS) return event.anchorStart;
  return undefined;
}
