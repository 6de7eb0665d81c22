// Functions on strings, with the separator, cutset or prefix first, so that the text can be piped in.
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
} from '../../exec/function-table.ts';
import { indexOfText } from '../../text/find.ts';
import { stringMap } from '../../value/value.ts';
import { titleWords, toLower, toUpper } from '../go/letter-case.ts';
import { joinStrings, replaceAll, splitString, trimCutset, trimSpace } from './text.ts';

export const strings: FunctionTable = {
  trim: defineFunction(['string', 'string'], 'string', (_context, cutset, text) => trimCutset(text, cutset)),
  trimPrefix: defineFunction(['string', 'string'], 'string', (_context, prefix, text) =>
    text.startsWith(prefix) ? text.slice(prefix.length) : text,
  ),
  trimSuffix: defineFunction(['string', 'string'], 'string', (_context, suffix, text) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  trimSpace: defineFunction(['string'], 'string', (_context, text) => trimSpace(text)),
  toLower: defineFunction(['string'], 'string', (_context, text) => toLower(text)),
  toUpper: defineFunction(['string'], 'string', (_context, text) => toUpper(text)),
  toTitle: defineFunction(['string'], 'string', (_context, text) => titleWords(text)),
  replaceAll: defineFunction(['string', 'string', 'string'], 'string', (context, from, to, text) =>
    replaceAll(context, text, from, to),
  ),
  split: defineFunction(['string', 'string'], '[]string', (context, separator, text) => {
    const trimmed = trimSpace(text);
    return trimmed === '' ? [] : splitString(context, trimmed, separator);
  }),
  join: defineFunction(['string', '[]string'], 'string', (context, separator, list) =>
    joinStrings(context, list.items as readonly string[], separator),
  ),
  splitToMap: defineFunction(
    ['string', 'string', 'string'],
    'map[string]string',
    (context, separator, assign, text) => {
      const trimmed = trimSpace(text);
      const pairs = trimmed === '' ? [] : splitString(context, trimmed, separator);
      return stringMap(pairs.flatMap((pair) => cut(pair, assign)));
    },
  ),
  indent: defineFunction(['int', 'string'], 'string', (context, spaces, text) => {
    if (spaces < 0n) throw callError`indent value must be a positive integer`;
    return indent(context, spaces, text);
  }),
};

/** Key and value around the first separator; nothing when there is none. */
function cut(pair: string, separator: string): (readonly [string, string])[] {
  const at = indexOfText(pair, separator);
  return at < 0 ? [] : [[pair.slice(0, at), pair.slice(at + separator.length)]];
}

/** Spaces in front of each line that is not empty. */
function indent(context: CallContext, spaces: bigint, text: string): string {
  const lines = text.split('\n');
  const filled = lines.filter((line) => line !== '').length;
  context.claim(text.length + Number(spaces) * Math.max(filled, 1));
  if (filled === 0) return text;
  const prefix = ' '.repeat(Number(spaces));
  return lines.map((line) => (line === '' ? line : prefix + line)).join('\n');
}
