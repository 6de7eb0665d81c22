// A block of an HCL file read key by key, each with the type that its reader wants. What does not fit becomes a problem at
// its place in the file, under the file's own names; the keys that nobody asked for are told in the end.

import { goBoolean } from '../../../base/text/go-boolean.ts';
import { parseSeconds } from './duration.ts';
import { type HclItem, type HclKey, type HclLiteral, type HclNode, itemsNamed, sameName } from './node.ts';
import { integerOf, numberOf } from './number.ts';
import type { Origin, Report } from './report.ts';

/** A value and where the file says it. */
export interface Said<T> {
  readonly value: T;
  readonly origin: Origin;
}

/** An empty text counts as not said. */
export function unlessEmpty(said: Said<string> | undefined): Said<string> | undefined {
  return said?.value === '' ? undefined : said;
}

/** Of several files, what the last one says that says anything under a key. */
export function lastOf<T>(all: readonly T[]): <K extends keyof T>(key: K) => T[K] | undefined {
  return (key) => all.findLast((one) => one[key] !== undefined)?.[key];
}

export interface LabelledBlock {
  /** What stands between the name and the brace. */
  readonly labels: readonly HclKey[];
  readonly block: Block;
}

export interface Block {
  readonly origin: Origin;
  /** A string; a number stands for its digits. */
  text(key: string): Said<string> | undefined;
  /** `true` or `false` without quotes. */
  flag(key: string): Said<boolean> | undefined;
  /** `true`, `"true"`, `1`. */
  looseFlag(key: string): Said<boolean> | undefined;
  /** The same, or `force`. */
  flagOrForce(key: string): Said<boolean | 'force'> | undefined;
  integer(key: string): Said<number> | undefined;
  float(key: string): Said<number> | undefined;
  /** Milliseconds: `"5m"`, `"300"` and 300 (seconds). */
  duration(key: string): Said<number> | undefined;
  texts(key: string): Said<readonly string[]> | undefined;
  /** Every block of this name, in order. */
  blocks(key: string): readonly LabelledBlock[];
  /** The one block of this name; a second one is a problem. */
  only(key: string): LabelledBlock | undefined;
  /** What stands in all blocks of this name together; a label is a key. */
  items(key: string): readonly HclItem[];
  /** What is said under this name, without it. */
  all(key: string): readonly HclItem[];
  /** The values of this name that are blocks, as `blocks` gives them. */
  nodes(key: string): readonly HclNode[];
  /** As it stands, whatever it is. */
  node(key: string): Said<HclNode> | undefined;
  /** The keys that no one of these methods was asked for. */
  unknown(): readonly Said<string>[];
  /** Every key that was asked for. */
  readonly known: ReadonlySet<string>;
}

/** `name` is empty for the file itself. */
export function createBlock(items: readonly HclItem[], origin: Origin, report: Report): Block {
  const known = new Set<string>();

  function originOf(key: string, node: { readonly position: Origin['position'] }): Origin {
    return {
      file: origin.file,
      position: node.position,
      name: origin.name === '' ? key : `${origin.name}.${key}`,
    };
  }

  function find(key: string): HclItem[] {
    known.add(key);
    return itemsNamed(items, key);
  }

  /** The last one counts, but each of them must fit. */
  function read<T>(
    key: string,
    expected: string,
    convert: (node: HclLiteral) => T | undefined,
  ): Said<T> | undefined {
    let said: Said<T> | undefined;
    for (const { value: node } of find(key)) {
      const at = originOf(key, node);
      const value = node.kind === 'literal' ? attempt(convert, node) : undefined;
      if (value === undefined) report.problem(at, `expected ${expected}, got ${describeNode(node)}`);
      else said = { value, origin: at };
    }
    return said;
  }

  function blocks(key: string): LabelledBlock[] {
    const found = find(key);
    const names = found.map(({ keys: labels }) =>
      labels.reduce((all, label) => `${all} ${JSON.stringify(label.name)}`, key),
    );
    return found.flatMap(({ keys: labels, value: node }, index) => {
      const name = names[index] ?? key;
      const same = names.flatMap((other, at) => (other === name ? [at] : []));
      const numbered = same.length > 1 ? `${name}[${same.indexOf(index)}]` : name;
      const at = originOf(numbered, node);
      if (node.kind === 'object') return [{ labels, block: createBlock(node.items, at, report) }];
      report.problem(at, `expected a block in braces, got ${describeNode(node)}`);
      return [];
    });
  }

  return {
    origin,
    known,
    blocks,
    text: (key) => read(key, 'a string in quotes', textOf),
    flag: (key) =>
      read(key, 'true or false, without quotes', ({ type, text }) =>
        type === 'bool' ? text === 'true' : undefined,
      ),
    looseFlag: (key) => read(key, 'true, false', looseBoolean),
    flagOrForce: (key) =>
      read(
        key,
        'true, false, force',
        (node) => looseBoolean(node) ?? (node.text.toLowerCase() === 'force' ? 'force' : undefined),
      ),
    integer: (key) =>
      read(key, 'a whole number', (node) => (node.type === 'float' ? undefined : wholeNumber(node))),
    float: (key) =>
      read(key, 'a number', (node) =>
        node.type === 'number' || node.type === 'float' ? numberOf(node) : undefined,
      ),
    duration: (key) =>
      read(key, 'a duration such as "30s", "5m" or a number of seconds', (node) =>
        node.type === 'bool'
          ? undefined
          : node.type === 'float'
            ? numberOf(node) * 1000
            : parseSeconds(node.text),
      ),
    texts(key) {
      let said: Said<readonly string[]> | undefined;
      for (const { value: node } of find(key)) {
        const at = originOf(key, node);
        const texts =
          node.kind === 'list'
            ? node.items.map((item) => (item.kind === 'literal' ? textOf(item) : undefined))
            : [undefined];
        if (texts.includes(undefined))
          report.problem(at, `expected a list of strings, got ${describeNode(node)}`);
        else
          said = {
            value: [...(said?.value ?? []), ...texts.filter((text) => text !== undefined)],
            origin: at,
          };
      }
      return said;
    },
    only(key) {
      const [first, second] = blocks(key);
      if (second !== undefined)
        report.problem(second.block.origin, `is there twice; expected one block ${key}`);
      return first;
    },
    all: find,
    nodes: (key) => find(key).flatMap(({ value }) => (value.kind === 'object' ? [value] : [])),
    items: (key) =>
      find(key).flatMap(({ keys, value }) => {
        if (value.kind !== 'object') return [];
        return keys.length > 0 ? [{ keys, value }] : value.items;
      }),
    node(key) {
      const last = find(key).at(-1);
      return last && { value: last.value, origin: originOf(key, last.value) };
    },
    unknown() {
      const names = [...known];
      return items.flatMap(({ keys: [first] }) =>
        first === undefined || names.some((name) => sameName(first.name, name))
          ? []
          : [{ value: first.name, origin: originOf(first.name, first) }],
      );
    },
  };
}

/** A string or, for its digits, a number. */
function textOf({ type, text }: HclLiteral): string | undefined {
  return type === 'string' || type === 'heredoc' || type === 'number' ? text : undefined;
}

function looseBoolean(node: HclLiteral): boolean | undefined {
  if (node.type === 'bool') return node.text === 'true';
  if (node.type === 'number' || node.type === 'float') return numberOf(node) !== 0;
  return node.text === '' ? false : goBoolean(node.text);
}

export function describeNode(node: HclNode): string {
  if (node.kind !== 'literal') return node.kind === 'list' ? 'a list' : 'a block';
  if (node.type === 'bool' || node.type === 'number' || node.type === 'float') return node.text;
  return node.text === '' ? 'an empty string' : 'a string';
}

function wholeNumber(node: HclLiteral): number | undefined {
  return node.type === 'bool' ? undefined : integerOf(node.text);
}

/** What a number's own check throws is told as what was expected. */
function attempt<T>(convert: (node: HclLiteral) => T | undefined, node: HclLiteral): T | undefined {
  try {
    return convert(node);
  } catch {
    return undefined;
  }
}
