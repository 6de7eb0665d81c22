// As Go's json.Marshal: keys sorted by bytes, numbers of secrets as they came, `<>&` escaped unless told otherwise.

import { type CallContext, callError, plain } from '../../../exec/function-table.ts';
import { decodeRune } from '../../../text/bytes.ts';
import { formatFloat } from '../../../text/float-format.ts';
import { isInteger, type Type } from '../../../value/type.ts';
import {
  IntegerValue,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
  typeOf,
} from '../../../value/value.ts';

export interface JsonStyle {
  readonly escapesHtml: boolean;
  /** Two spaces a level, each item on a line of its own. */
  readonly isPretty: boolean;
}

interface Encoder extends JsonStyle {
  readonly context: CallContext;
  readonly parts: string[];
}

/** Throws a CallError for what JSON cannot hold. */
export function encodeJson(context: CallContext, value: Opened, style: JsonStyle): string {
  const encoder: Encoder = { ...style, context, parts: [] };
  encode(encoder, value, 0);
  let bytes = 0;
  for (const part of encoder.parts) bytes += part.length;
  context.claim(bytes);
  return encoder.parts.join('');
}

function encode(encoder: Encoder, value: Opened, depth: number): void {
  encoder.context.spend(1);
  const { parts } = encoder;
  if (value === null) parts.push('null');
  else if (typeof value === 'string') parts.push(quoteJson(value, encoder.escapesHtml));
  else if (typeof value === 'number') parts.push(jsonFloat(value));
  else if (typeof value === 'boolean' || typeof value === 'bigint') parts.push(String(value));
  else if (value instanceof IntegerValue) parts.push(String(value.value));
  else if (value instanceof MapValue) encodeMap(encoder, value, depth);
  else if (value instanceof SliceValue) encodeSlice(encoder, value, depth);
  else if (value instanceof PointerValue || value instanceof StructValue) encodeStruct(encoder, value, depth);
  else if (stringOf(value) !== null) parts.push(stringOf(value) || '0');
  else throw unsupported(typeName(value));
}

function unsupported(type: string) {
  const isFromYaml = type === 'map[interface {}]interface {}';
  return callError`json: unsupported type: ${plain(type)}${plain(isFromYaml ? '; parseYAML gives such maps, parseJSON does not' : '')}`;
}

function encodeMap(encoder: Encoder, map: MapValue, depth: number): void {
  const key = map.type.key;
  if (key === null || !(key.kind === 'string' || isInteger(key.kind))) throw unsupported(map.type.name);
  if (map.isNil) {
    encoder.parts.push('null');
    return;
  }
  checkElement(map.type.elem);
  encoder.context.goThrough(map.size);
  const entries = [...map.entries()].map(([name, item]) => [keyText(name), openInterface(item)] as const);
  if (key.kind !== 'string') entries.sort(([a], [b]) => (a < b ? -1 : 1));
  encodeItems(encoder, '{}', entries, map.type, depth);
}

function encodeSlice(encoder: Encoder, slice: SliceValue, depth: number): void {
  if (slice.isNil) {
    encoder.parts.push('null');
    return;
  }
  checkElement(slice.type.elem);
  encoder.context.goThrough(slice.items.length);
  const items = slice.items.map((item) => [null, openInterface(item)] as const);
  encodeItems(encoder, '[]', items, slice.type, depth);
}

/** Go refuses by the element's type, before it looks at any element. */
function checkElement(type: Type | null): void {
  if (type?.kind === 'complex128' || type?.kind === 'chan') throw unsupported(type.name);
  if (type?.kind === 'map' && type.key !== null && type.key.kind !== 'string' && !isInteger(type.key.kind)) {
    throw unsupported(type.name);
  }
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key;
  return key instanceof IntegerValue ? String(key.value) : (stringOf(key as Opened) ?? String(key));
}

/** A named type says itself how it is written: `String`, or for times and versions their text. */
function encodeStruct(encoder: Encoder, value: PointerValue | StructValue, depth: number): void {
  const target = value instanceof PointerValue ? value.target : value;
  if (target === null) {
    encoder.parts.push('null');
    return;
  }
  const marshal = target.type.methods.get('MarshalText') ?? typeOf(value)?.methods.get('MarshalText');
  if (marshal !== undefined) {
    const text = marshal.call(encoder.context, [value]);
    encoder.parts.push(quoteJson(typeof text === 'string' ? text : '', encoder.escapesHtml));
    return;
  }
  const fields = target.type.fields.map(
    (field, at) => [field.name, openInterface(target.values[at] ?? null)] as const,
  );
  encodeItems(encoder, '{}', fields, target.type, depth);
}

function encodeItems(
  encoder: Encoder,
  brackets: '{}' | '[]',
  items: readonly (readonly [string | null, Opened])[],
  type: Type,
  depth: number,
): void {
  if (depth >= encoder.context.limits.valueDepth) {
    throw callError`json: unsupported value: encountered a cycle via ${plain(type.name)}`;
  }
  const { parts, isPretty } = encoder;
  parts.push(brackets.charAt(0));
  items.forEach(([name, item], index) => {
    if (index > 0) parts.push(',');
    if (isPretty) parts.push(lineAt(encoder, depth + 1));
    if (name !== null) parts.push(quoteJson(name, encoder.escapesHtml), isPretty ? ': ' : ':');
    encode(encoder, item, depth + 1);
  });
  if (isPretty && items.length > 0) parts.push(lineAt(encoder, depth));
  parts.push(brackets.charAt(1));
}

function lineAt(encoder: Encoder, depth: number): string {
  encoder.context.spend(depth >> 4);
  return `\n${'  '.repeat(depth)}`;
}

/** ES6's form of a number, as Go's json has it: an exponent below 1e-6 and from 1e21. */
function jsonFloat(value: number): string {
  if (!Number.isFinite(value))
    throw callError`json: unsupported value: ${plain(formatFloat(value, 'g', -1))}`;
  return Object.is(value, -0) ? '-0' : String(value);
}

const needsEscape = /[\0-\x1f"\\<>&\x80-\xff]/;
const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A JSON string; bytes that are no UTF-8 become \ufffd, the separators U+2028 and U+2029 are always escaped. */
function quoteJson(bytes: string, escapesHtml: boolean): string {
  if (!needsEscape.test(bytes)) return `"${bytes}"`;
  let text = '"';
  for (let i = 0; i < bytes.length; ) {
    const char = bytes.charAt(i);
    if (char < '\x80') {
      text += quoteAscii(char, escapesHtml);
      i++;
      continue;
    }
    const { rune, size } = decodeRune(bytes, i);
    if (rune === 0xfffd && size === 1) text += '\\ufffd';
    else if (rune === 0x2028 || rune === 0x2029) text += rune === 0x2028 ? '\\u2028' : '\\u2029';
    else text += bytes.slice(i, i + size);
    i += size;
  }
  return `${text}"`;
}

function quoteAscii(char: string, escapesHtml: boolean): string {
  const short = shortEscapes[char];
  if (short !== undefined) return short;
  const isEscaped = char < ' ' || (escapesHtml && (char === '<' || char === '>' || char === '&'));
  return isEscaped ? `\\u00${char.charCodeAt(0).toString(16).padStart(2, '0')}` : char;
}
