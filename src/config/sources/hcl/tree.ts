// A file as HCL 1 decodes it where no types are given: each block is a list of maps, a label a key, and what is said twice is
// appended (blocks, lists) or replaced (the rest). Every value knows its place.
import type { Position } from '../../problems.ts';
import { HclError, type HclItem, type HclLiteral, type HclNode, type HclObject, itemsNamed } from './node.ts';
import { numberOf } from './number.ts';

export interface MapTree {
  readonly kind: 'map';
  readonly position: Position;
  readonly entries: ReadonlyMap<string, Entry>;
}
export interface ScalarTree {
  readonly kind: 'scalar';
  readonly position: Position;
  readonly value: string | number | boolean;
}
export type Tree =
  | MapTree
  | ScalarTree
  /** `KEY { … }` once or more often. */
  | { readonly kind: 'blocks'; readonly position: Position; readonly items: readonly MapTree[] }
  /** `KEY = [ … ]` */
  | { readonly kind: 'list'; readonly position: Position; readonly items: readonly Tree[] };

export interface Entry {
  /** Of the key. */
  readonly position: Position;
  readonly value: Tree;
}

/** Throws an HclError for what has no such form: one key with values of two kinds, a label here and none there. */
export function decodeTree(object: HclObject): MapTree {
  return decodeMap(object.items, object.position);
}

function decodeMap(items: readonly HclItem[], position: Position): MapTree {
  const entries = new Map<string, Entry>();
  const done = new Set<string>();
  for (const { keys, value } of items) {
    const [key, label] = keys;
    if (key === undefined)
      throw new HclError(value.position, 'has no label here, where others of its name have one');
    if (done.has(key.name)) continue;
    const before = entries.get(key.name)?.value;
    if (label !== undefined) {
      done.add(key.name);
      const blocks = itemsNamed(items, key.name).map((item) => decodeMap([item], item.value.position));
      entries.set(key.name, { position: key.position, value: append(before, blocks, key.position) });
    } else {
      entries.set(key.name, { position: key.position, value: decodeAgain(before, value) });
    }
  }
  return { kind: 'map', position, entries };
}

function append(before: Tree | undefined, blocks: readonly MapTree[], position: Position): Tree {
  if (before === undefined) return { kind: 'blocks', position, items: blocks };
  if (before.kind !== 'blocks') throw new HclError(position, 'is a block here, and a value before');
  return { ...before, items: [...before.items, ...blocks] };
}

function decodeAgain(before: Tree | undefined, node: HclNode): Tree {
  if (node.kind === 'literal') {
    const value = scalarOf(node);
    if (before !== undefined && !(before.kind === 'scalar' && isSameKind(before.value, value, node))) {
      throw new HclError(node.position, 'is a value of another kind than before; remove one');
    }
    const isText = before?.kind === 'scalar' && typeof before.value === 'string';
    return { kind: 'scalar', position: node.position, value: isText ? node.text : value };
  }
  if (node.kind === 'object') return append(before, [decodeMap(node.items, node.position)], node.position);
  const items = node.items.map(decodeElement);
  if (before === undefined) return { kind: 'list', position: node.position, items };
  if (before.kind !== 'list')
    throw new HclError(node.position, 'is a list here, and none before; remove one');
  return { ...before, items: [...before.items, ...items] };
}

/** A number may follow a string: it is taken for one then. */
function isSameKind(
  before: string | number | boolean,
  value: string | number | boolean,
  node: HclLiteral,
): boolean {
  return typeof before === typeof value || (typeof before === 'string' && node.type === 'number');
}

/** Directly in a list an object is a map. */
function decodeElement(node: HclNode): Tree {
  if (node.kind === 'object') return decodeMap(node.items, node.position);
  if (node.kind === 'list')
    return { kind: 'list', position: node.position, items: node.items.map(decodeElement) };
  return { kind: 'scalar', position: node.position, value: scalarOf(node) };
}

function scalarOf(node: HclLiteral): string | number | boolean {
  if (node.type === 'bool') return node.text === 'true';
  if (node.type === 'number' || node.type === 'float') return numberOf(node);
  return node.text;
}
