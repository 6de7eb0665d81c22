// sprig's functions on strings. Where sprig takes bytes for characters (nospace, initials, abbrev, wrap, trunc), so do these.

import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
} from '../../exec/function-table.ts';
import { encodeRune } from '../../text/bytes.ts';
import { indexOfText } from '../../text/find.ts';
import { sprintf } from '../../text/printf.ts';
import { quoteString } from '../../text/quote.ts';
import { type Opened, openInterface, SliceValue, stringMap } from '../../value/value.ts';
import {
  joinStrings,
  repeat,
  replaceAll,
  splitString,
  trimCutset,
  trimSpace,
} from '../consul-template/text.ts';
import { isSpace, toLower, toUpper } from '../go/letter-case.ts';
import { stringsOf, textOf } from './sprig-text.ts';
import {
  abbreviate,
  camelCase,
  initials,
  separateWords,
  swapCase,
  titleLetters,
  uncapitalize,
  wrapText,
} from './sprig-words.ts';

const trimAll = defineFunction(['string', 'string'], 'string', (_context, cutset, text) =>
  trimCutset(text, cutset),
);

export const sprigStrings: FunctionTable = {
  sprig_hello: defineFunction([], 'string', () => 'Hello!'),
  sprig_trim: defineFunction(['string'], 'string', (_context, text) => trimSpace(text)),
  sprig_trimAll: trimAll,
  sprig_trimall: trimAll,
  sprig_trimPrefix: defineFunction(['string', 'string'], 'string', (_context, prefix, text) =>
    text.startsWith(prefix) ? text.slice(prefix.length) : text,
  ),
  sprig_trimSuffix: defineFunction(['string', 'string'], 'string', (_context, suffix, text) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  sprig_upper: defineFunction(['string'], 'string', (_context, text) => toUpper(text)),
  sprig_lower: defineFunction(['string'], 'string', (_context, text) => toLower(text)),
  sprig_title: defineFunction(['string'], 'string', (_context, text) => titleLetters(text)),
  sprig_untitle: defineFunction(['string'], 'string', (_context, text) => uncapitalize(text)),
  sprig_swapcase: defineFunction(['string'], 'string', (_context, text) => swapCase(text)),
  sprig_snakecase: defineFunction(['string'], 'string', (_context, text) => separateWords(text, '_')),
  sprig_kebabcase: defineFunction(['string'], 'string', (_context, text) => separateWords(text, '-')),
  sprig_camelcase: defineFunction(['string'], 'string', (_context, text) => camelCase(text)),
  sprig_nospace: defineFunction(['string'], 'string', (_context, text) => withoutSpace(text)),
  sprig_initials: defineFunction(['string'], 'string', (_context, text) => initials(text)),
  sprig_abbrev: defineFunction(['int', 'string'], 'string', (_context, width, text) =>
    width < 4n ? text : abbreviate(text, 0, toIndex(width)),
  ),
  sprig_abbrevboth: defineFunction(['int', 'int', 'string'], 'string', (_context, left, right, text) =>
    right < 4n || (left > 0n && right < 7n) ? text : abbreviate(text, toIndex(left), toIndex(right)),
  ),
  sprig_trunc: defineFunction(['int', 'string'], 'string', (_context, count, text) => truncate(text, count)),
  sprig_substr: defineFunction(['int', 'int', 'string'], 'string', (_context, start, end, text) =>
    substring(text, start, end),
  ),
  sprig_repeat: defineFunction(['int', 'string'], 'string', (context, count, text) => {
    if (count < 0n) throw callError`strings: negative Repeat count`;
    return repeat(context, text, count);
  }),
  sprig_wrap: defineFunction(['int', 'string'], 'string', (context, width, text) =>
    wrapText(context, text, width, '', false),
  ),
  sprig_wrapWith: defineFunction(['int', 'string', 'string'], 'string', (context, width, separator, text) =>
    wrapText(context, text, width, separator, true),
  ),
  sprig_contains: defineFunction(
    ['string', 'string'],
    'bool',
    (_context, part, text) => indexOfText(text, part) >= 0,
  ),
  sprig_hasPrefix: defineFunction(['string', 'string'], 'bool', (_context, prefix, text) =>
    text.startsWith(prefix),
  ),
  sprig_hasSuffix: defineFunction(['string', 'string'], 'bool', (_context, suffix, text) =>
    text.endsWith(suffix),
  ),
  sprig_quote: defineFunction(['...any'], 'string', (context, ...values) =>
    joinStrings(
      context,
      values.filter(isPresent).map((value) => quoteString(textOf(context, value))),
      ' ',
    ),
  ),
  sprig_squote: defineFunction(['...any'], 'string', (context, ...values) =>
    joinStrings(
      context,
      values.filter(isPresent).map((value) => `'${sprintf(context, '%v', [value])}'`),
      ' ',
    ),
  ),
  sprig_cat: defineFunction(['...any'], 'string', (context, ...values) =>
    joinStrings(
      context,
      values.filter(isPresent).map((value) => sprintf(context, '%v', [value])),
      ' ',
    ),
  ),
  sprig_indent: defineFunction(['int', 'string'], 'string', indent),
  sprig_nindent: defineFunction(
    ['int', 'string'],
    'string',
    (context, spaces, text) => `\n${indent(context, spaces, text)}`,
  ),
  sprig_replace: defineFunction(['string', 'string', 'string'], 'string', (context, from, to, text) =>
    replaceAll(context, text, from, to),
  ),
  sprig_plural: defineFunction(['string', 'string', 'int'], 'string', (_context, one, many, count) =>
    count === 1n ? one : many,
  ),
  sprig_toString: defineFunction(['any'], 'string', textOf),
  sprig_toStrings: defineFunction(['any'], '[]string', (context, value) => stringsOf(context, value)),
  sprig_join: defineFunction(['string', 'any'], 'string', (context, separator, value) =>
    joinStrings(context, stringsOf(context, value), separator),
  ),
  sprig_sortAlpha: defineFunction(['any'], '[]string', (context, value) => {
    const list = openInterface(value);
    if (!(list instanceof SliceValue)) return [textOf(context, list)];
    return stringsOf(context, list).toSorted();
  }),
  sprig_splitList: defineFunction(['string', 'string'], '[]string', (context, separator, text) =>
    splitString(context, text, separator),
  ),
  sprig_split: defineFunction(['string', 'string'], 'map[string]string', (context, separator, text) =>
    numbered(splitString(context, text, separator)),
  ),
  sprig_splitn: defineFunction(
    ['string', 'int', 'string'],
    'map[string]string',
    (context, separator, count, text) => numbered(splitAtMost(context, text, separator, count)),
  ),
};

function isPresent(value: Opened): boolean {
  return value !== null;
}

/** A Go int where larger ones cannot matter. */
function toIndex(value: bigint): number {
  return Number(BigInt.asIntN(53, value)) === Number(value) ? Number(value) : Number.MAX_SAFE_INTEGER;
}

/** Each byte for a character, so that é becomes two. */
function withoutSpace(text: string): string {
  const kept = [...text].filter((char) => !isSpace(char.charCodeAt(0)));
  return kept.length === text.length ? text : kept.map((char) => encodeRune(char.charCodeAt(0))).join('');
}

function truncate(text: string, count: bigint): string {
  const size = BigInt(text.length);
  if (count < 0n) return size + count > 0n ? text.slice(Number(size + count)) : text;
  return size > count ? text.slice(0, Number(count)) : text;
}

function substring(text: string, start: bigint, end: bigint): string {
  const size = BigInt(text.length);
  if (start < 0n) {
    if (end < 0n || end > size) throw outOfRange(`[:${end}]`, end, size);
    return text.slice(0, Number(end));
  }
  if (end < 0n || end > size) {
    if (start > size) throw outOfRange(`[${start}:${size}]`, start, size);
    return text.slice(Number(start));
  }
  if (start > end) throw outOfRange(`[${start}:${end}]`, start, size);
  return text.slice(Number(start), Number(end));
}

/** What the Go runtime panics with. */
function outOfRange(bounds: string, index: bigint, size: bigint) {
  if (!bounds.startsWith('[:')) return callError`runtime error: slice bounds out of range ${plain(bounds)}`;
  return callError`runtime error: slice bounds out of range ${plain(index < 0n ? `[:${index}]` : `[:${index}] with length ${size}`)}`;
}

function indent(context: CallContext, spaces: bigint, text: string): string {
  if (spaces < 0n) throw callError`strings: negative Repeat count`;
  const lines = text.split('\n');
  context.claim(text.length + Number(spaces) * lines.length);
  const pad = ' '.repeat(Number(spaces));
  return pad + lines.join(`\n${pad}`);
}

/** As strings.SplitN. */
function splitAtMost(context: CallContext, text: string, separator: string, count: bigint): string[] {
  if (count === 0n) return [];
  const parts = splitString(context, text, separator);
  if (count < 0n || parts.length <= Number(count)) return parts;
  const head = parts.slice(0, Number(count) - 1);
  return [...head, parts.slice(head.length).join(separator)];
}

function numbered(parts: readonly string[]) {
  return stringMap(parts.map((part, index) => [`_${index}`, part] as const));
}
