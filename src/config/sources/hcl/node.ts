// The tree of an HCL 1 file: objects of items, lists, and literals, each with its place. Blocks and attributes are one
// thing here, as they are for the readers of these files.
import type { Position } from '../../problems.ts';

export interface HclObject {
  readonly kind: 'object';
  readonly position: Position;
  readonly items: readonly HclItem[];
}

export interface HclList {
  readonly kind: 'list';
  readonly position: Position;
  readonly items: readonly HclNode[];
}

export interface HclLiteral {
  readonly kind: 'literal';
  readonly position: Position;
  readonly type: 'string' | 'heredoc' | 'number' | 'float' | 'bool';
  /** As it stands in the file, of a string its value. */
  readonly text: string;
}

export type HclNode = HclObject | HclList | HclLiteral;

export interface HclKey {
  readonly name: string;
  readonly position: Position;
  /** Written in quotes. */
  readonly isQuoted: boolean;
}

/** `KEY = VALUE`, `KEY {`, or `KEY "LABEL" {`. */
export interface HclItem {
  readonly keys: readonly HclKey[];
  readonly value: HclNode;
}

/** What cannot be read, and where. */
export class HclError extends Error {
  readonly position: Position;

  constructor(position: Position, message: string) {
    super(message);
    this.name = 'HclError';
    this.position = position;
  }
}

/** Slow: it looks at all that stands before. */
export function positionIn(text: string, offset: number): Position {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: [...(before.at(-1) ?? '')].length + 1 };
}

/**
 * The items whose first key is `name` in any case, without that key. Of `sink "file" { … }` one with the label is left, of
 * `sink { … }` one without a key.
 */
export function itemsNamed(items: readonly HclItem[], name: string): HclItem[] {
  return items.flatMap((item) =>
    sameName(item.keys[0]?.name, name) ? [{ ...item, keys: item.keys.slice(1) }] : [],
  );
}

/** Keys are the same whatever the case of their letters. */
export function sameName(a: string | undefined, b: string): boolean {
  return a === b || a?.toLowerCase() === b.toLowerCase();
}
