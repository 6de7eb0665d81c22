// JSON as HCL 1 sees it: an object and a list of one are equal, and an object that holds nothing but objects gives their
// names as labels. Numbers stay as they are written.
import type { Position } from '../../problems.ts';
import {
  HclError,
  type HclItem,
  type HclKey,
  type HclLiteral,
  type HclNode,
  type HclObject,
} from './node.ts';

const blank = /[ \t\r\n]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?/y;
const string = /"(?:[^"\\\n]|\\.)*"/y;
const word = /[\p{L}_][\p{L}\p{Nd}_-]*/uy;

/** Throws an HclError. */
export function parseJsonAsHcl(text: string): HclObject {
  let at = 0;
  skipBlank();
  const root = parseObject();
  return flattenDeep(root);

  function skipBlank(): void {
    blank.lastIndex = at;
    at += blank.exec(text)?.[0].length ?? 0;
  }

  function fail(message: string, offset = at): never {
    throw new HclError(positionOf(text, offset), message);
  }

  function describe(): string {
    const char = text[at];
    return char === undefined
      ? 'the end of the file'
      : JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
  }

  function accept(char: string): boolean {
    skipBlank();
    if (text[at] !== char) return false;
    at++;
    return true;
  }

  function parseObject(): HclObject {
    const position = positionOf(text, at);
    if (!accept('{')) fail(`expected {, got ${describe()}`);
    const items: HclItem[] = [];
    while (!accept('}')) {
      const key = parseKey();
      if (!accept(':')) fail(`expected : after ${JSON.stringify(key.name)}, got ${describe()}`);
      skipBlank();
      items.push({ keys: [key], value: parseValue() });
      if (accept(',')) continue;
      if (accept('}')) break;
      fail(`expected , or }, got ${describe()}`);
    }
    return { kind: 'object', position, items };
  }

  function parseKey(): HclKey {
    skipBlank();
    const position = positionOf(text, at);
    if (text[at] !== '"') fail(`expected a key in quotes, got ${describe()}`);
    return { name: parseString(), position, isQuoted: true };
  }

  function parseValue(): HclNode {
    const position = positionOf(text, at);
    if (text[at] === '{') return parseObject();
    if (text[at] === '[') return parseList(position);
    return parseLiteral(position);
  }

  function parseLiteral(position: Position): HclLiteral {
    if (text[at] === '"') return { kind: 'literal', type: 'string', text: parseString(), position };
    const digits = take(number);
    if (digits !== undefined) {
      return { kind: 'literal', type: /[.eE]/.test(digits) ? 'float' : 'number', text: digits, position };
    }
    const name = take(word);
    if (name === 'true' || name === 'false') return { kind: 'literal', type: 'bool', text: name, position };
    // Their reader takes null for an empty string.
    if (name === 'null') return { kind: 'literal', type: 'string', text: '', position };
    at -= name?.length ?? 0;
    return fail(`expected a value, got ${name ?? describe()}`);
  }

  function parseList(position: Position): HclNode {
    at++;
    const items: HclNode[] = [];
    for (;;) {
      skipBlank();
      if (accept(']')) return { kind: 'list', position, items };
      if (accept(',')) continue;
      items.push(parseValue());
    }
  }

  function parseString(): string {
    const start = at;
    const source = take(string);
    if (source === undefined) return fail('the string is not closed; expected " in this line');
    try {
      return JSON.parse(source) as string;
    } catch {
      return fail('an escape in this string is none of JSON', start);
    }
  }

  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  }
}

function flattenDeep(object: HclObject): HclObject {
  const flat = object.items.flatMap(flattenItem);
  return { ...object, items: flat.map((item) => ({ ...item, value: flattenNode(item.value) })) };
}

function flattenNode(node: HclNode): HclNode {
  if (node.kind === 'object') return flattenDeep(node);
  if (node.kind === 'list') return { ...node, items: node.items.map(flattenNode) };
  return node;
}

/** A list of objects is a block for each; an object of objects alone is blocks with labels. */
function flattenItem(item: HclItem): HclItem[] {
  const { keys, value } = item;
  if (value.kind === 'list' && value.items.length > 0 && value.items.every(({ kind }) => kind === 'object')) {
    return value.items.flatMap((element) => flattenItem({ keys, value: element }));
  }
  if (
    value.kind === 'object' &&
    value.items.length > 0 &&
    value.items.every((inner) => inner.value.kind === 'object')
  ) {
    return value.items.flatMap((inner) =>
      flattenItem({ keys: [...keys, ...inner.keys], value: inner.value }),
    );
  }
  return [item];
}

function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: [...(before.at(-1) ?? '')].length + 1 };
}
