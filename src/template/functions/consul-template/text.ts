// What the string functions of consul-template and of sprig share: Go's strings package on byte strings.

import type { CallContext } from '../../exec/function-table.ts';
import { decodeLastRune, decodeRune, decodeRunes } from '../../text/bytes.ts';
import { splitText } from '../../text/find.ts';
import { isSpace } from '../go/letter-case.ts';

/** As strings.TrimSpace. */
export function trimSpace(text: string): string {
  return trimWhere(text, isSpace);
}

/** As strings.Trim: without the runes of the cutset at both ends. */
export function trimCutset(text: string, cutset: string): string {
  if (text === '' || cutset === '') return text;
  const runes = new Set(decodeRunes(cutset));
  return trimWhere(text, (rune) => runes.has(rune));
}

function trimWhere(text: string, isTrimmed: (rune: number) => boolean): string {
  let start = 0;
  let end = text.length;
  while (start < end) {
    const { rune, size } = decodeRune(text, start);
    if (!isTrimmed(rune)) break;
    start += size;
  }
  while (end > start) {
    const { rune, size } = decodeLastRune(text, end);
    if (!isTrimmed(rune)) break;
    end -= size;
  }
  return text.slice(start, end);
}

/** As strings.ReplaceAll; an empty needle matches before each rune and at the end. */
export function replaceAll(context: CallContext, text: string, from: string, to: string): string {
  const parts = from === '' ? ['', ...splitRunes(text), ''] : splitText(text, from);
  const joins = from === '' && text === '' ? 1 : parts.length - 1;
  context.claim(text.length + joins * Math.max(0, to.length - from.length));
  return from === '' && text === '' ? to : parts.join(to);
}

/** As strings.Split; an empty separator splits into runes. */
export function splitString(context: CallContext, text: string, separator: string): string[] {
  const parts = separator === '' ? splitRunes(text) : splitText(text, separator);
  context.spend(parts.length);
  return parts;
}

/** The runes as strings of their own bytes. */
function splitRunes(text: string): string[] {
  const parts: string[] = [];
  for (let i = 0; i < text.length; ) {
    const { size } = decodeRune(text, i);
    parts.push(text.slice(i, i + size));
    i += size;
  }
  return parts;
}

/** As strings.Join, bounded. */
export function joinStrings(context: CallContext, items: readonly string[], separator: string): string {
  let bytes = separator.length * Math.max(0, items.length - 1);
  for (const item of items) bytes += item.length;
  context.claim(bytes);
  return items.join(separator);
}

/** As strings.Repeat for a count that is not negative, bounded. */
export function repeat(context: CallContext, text: string, count: bigint): string {
  context.claim(Number(count) * text.length);
  return text === '' ? '' : text.repeat(Number(count));
}
