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
  positionIn,
} from './node.ts';

const blank = /[ \t\r\n]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d+)?/y;
const string = /"(?:[^"\\\n]|\\.)*"/y;
const word = /[\p{L}_][\p{L}\p{Nd}_-]*/uy;

/** Where the parser is in its text. */
interface Cursor {
  /** Of what comes next, after blanks. */
  position(): Position;
  peek(): string | undefined;
  /** Whether this character came next; then it is behind. */
  accept(char: string): boolean;
  /** What comes next by this pattern; undefined: something else. */
  take(pattern: RegExp): string | undefined;
  /** What comes next, for people. */
  describe(): string;
  /** Throws, with the place. */
  fail(message: string, at?: Position): never;
}

/** Throws an HclError. */
export function parseJsonAsHcl(text: string): HclObject {
  return flattenDeep(parseObject(createCursor(text)));
}

function createCursor(text: string): Cursor {
  let at = 0;
  const skipBlank = (): void => {
    blank.lastIndex = at;
    at += blank.exec(text)?.[0].length ?? 0;
  };
  const position = (): Position => {
    skipBlank();
    return positionIn(text, at);
  };
  return {
    position,
    peek() {
      skipBlank();
      return text[at];
    },
    accept(char) {
      skipBlank();
      if (text[at] !== char) return false;
      at++;
      return true;
    },
    take(pattern) {
      pattern.lastIndex = at;
      const found = pattern.exec(text)?.[0];
      at += found?.length ?? 0;
      return found;
    },
    describe() {
      const code = text.codePointAt(at);
      return code === undefined ? 'the end of the file' : JSON.stringify(String.fromCodePoint(code));
    },
    fail(message, place = positionIn(text, at)) {
      throw new HclError(place, message);
    },
  };
}

function parseObject(cursor: Cursor): HclObject {
  const position = cursor.position();
  if (!cursor.accept('{')) cursor.fail(`expected {, got ${cursor.describe()}`);
  const items: HclItem[] = [];
  while (!cursor.accept('}')) {
    const key = parseKey(cursor);
    if (!cursor.accept(':'))
      cursor.fail(`expected : after ${JSON.stringify(key.name)}, got ${cursor.describe()}`);
    items.push({ keys: [key], value: parseValue(cursor) });
    if (cursor.accept(',')) continue;
    if (cursor.accept('}')) break;
    cursor.fail(`expected , or }, got ${cursor.describe()}`);
  }
  return { kind: 'object', position, items };
}

function parseKey(cursor: Cursor): HclKey {
  const position = cursor.position();
  if (cursor.peek() !== '"') cursor.fail(`expected a key in quotes, got ${cursor.describe()}`);
  return { name: parseString(cursor), position, isQuoted: true };
}

function parseValue(cursor: Cursor): HclNode {
  const next = cursor.peek();
  if (next === '{') return parseObject(cursor);
  return next === '[' ? parseList(cursor) : parseLiteral(cursor);
}

function parseLiteral(cursor: Cursor): HclLiteral {
  const position = cursor.position();
  if (cursor.peek() === '"') return { kind: 'literal', type: 'string', text: parseString(cursor), position };
  const digits = cursor.take(number);
  if (digits !== undefined) {
    return { kind: 'literal', type: /[.eE]/.test(digits) ? 'float' : 'number', text: digits, position };
  }
  const shown = cursor.describe();
  const name = cursor.take(word);
  if (name === 'true' || name === 'false') return { kind: 'literal', type: 'bool', text: name, position };
  // Their reader takes null for an empty string.
  if (name === 'null') return { kind: 'literal', type: 'string', text: '', position };
  return cursor.fail(`expected a value, got ${name ?? shown}`, position);
}

function parseList(cursor: Cursor): HclNode {
  const position = cursor.position();
  cursor.accept('[');
  const items: HclNode[] = [];
  while (!cursor.accept(']')) if (!cursor.accept(',')) items.push(parseValue(cursor));
  return { kind: 'list', position, items };
}

function parseString(cursor: Cursor): string {
  const position = cursor.position();
  const source = cursor.take(string);
  if (source === undefined) return cursor.fail('the string is not closed; expected " in this line');
  try {
    return JSON.parse(source) as string;
  } catch {
    return cursor.fail('an escape in this string is none of JSON', position);
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
