// Texts that stand in a text as base64 (RFC 4648, 4 and 5), wherever in it they begin and however it is broken into lines.
// What is no text when it is decoded (the digits of a UUID, a picture) is left out.
import { byteClass } from './byte-class.ts';
import { shortWordBefore } from './line-breaks.ts';
import type { PlainText } from './plain-text.ts';

/** Lines of it have nothing else but an indent. */
const run = /[A-Za-z0-9+/_-]{16,}(?:[ \t]*\\?\r?\n[ \t]*[A-Za-z0-9+/_-]+)*/g;
const isDigit = byteClass(/[A-Za-z0-9+/_-]/);
const digits = /[A-Za-z0-9+/_-]+/g;
/** Of a text that goes on, to be seen again with what comes. */
const mostOpen = 16 * 1024;
const isOver = /[^=\s\\]/;

interface Decoded {
  /** From byte `from` on of what the digits from `before` on are. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly before: number;
  readonly places: Places;
}

/** Where each digit stands: beside the one before it, from there on, where all are on one line. */
type Places = Uint32Array | number;

/** Digits without what stands between them. */
interface Run {
  readonly digits: string;
  readonly places: Places;
  /** Where each line of it ends in `digits`. */
  readonly lineEnds: readonly number[];
}

interface Base64Texts extends PlainText {
  /** Where the last one begins that goes on if the text does. */
  readonly openFrom: number | undefined;
}

/**
 * All in one, with a NUL after each: a program that prints many short ones must not have every secret looked for in each by
 * itself. Undefined: there are none.
 */
export function base64Texts(text: Buffer): Base64Texts | undefined {
  const latin1 = text.toString('latin1');
  const all: Decoded[] = [];
  let length = 0;
  let openFrom: number | undefined;
  for (const { index: at, 0: lines } of latin1.matchAll(run)) {
    const index = shortWordBefore(text, at, isDigit);
    const found = latin1.slice(index, at + lines.length);
    const texts = decodedTexts(found, index);
    if (texts.length === 0) continue;
    all.push(...texts);
    length += texts.reduce((sum, { bytes }) => sum + bytes.length + 1, 0);
    openFrom = isOver.test(latin1.slice(index + found.length))
      ? undefined
      : Math.max(index, index + found.length - mostOpen);
  }
  return length === 0 ? undefined : { ...joined(all, length), openFrom };
}

function decodedTexts(found: string, index: number): Decoded[] {
  const { digits, places, lineEnds } = runOf(found, index);
  return [0, 1, 2, 3].flatMap((before) => {
    const bytes = Buffer.from(digits.slice(before), 'base64');
    const partOf = (from: number, to: number) => ({ bytes: bytes.subarray(from, to), from, before, places });
    if (lineEnds.length === 1) return isText(bytes) ? [partOf(0, bytes.length)] : [];
    return textLines(bytes, lineEnds, before).map(([from, to]) => partOf(from, to));
  });
}

/** Those that follow each other in one: a line before or after may be a word of its own. */
function textLines(bytes: Buffer, lineEnds: readonly number[], before: number): [number, number][] {
  const parts: [from: number, to: number][] = [];
  let from = 0;
  for (const lineEnd of lineEnds) {
    const to = Math.min(bytes.length, Math.max(from, Math.ceil(((lineEnd - before) * 6) / 8)));
    // In the last byte are bits of the next line.
    if (to > from && isText(bytes.subarray(from, to - 1))) {
      const last = parts.at(-1);
      if (last?.[1] === from) last[1] = to;
      else parts.push([from, to]);
    }
    from = to;
  }
  return parts;
}

function runOf(found: string, index: number): Run {
  if (!found.includes('\n')) return { digits: found, places: index, lineEnds: [found.length] };
  const places = new Uint32Array(found.length);
  const lineEnds: number[] = [];
  let all = '';
  for (const { index: at, 0: line } of found.matchAll(digits)) {
    for (let digit = 0; digit < line.length; digit++) places[all.length + digit] = index + at + digit;
    all += line;
    lineEnds.push(all.length);
  }
  return { digits: all, places, lineEnds };
}

/** With the places of the digits that have a bit of each byte. */
function joined(texts: readonly Decoded[], length: number): PlainText {
  const [starts, ends] = [new Uint32Array(length), new Uint32Array(length)];
  const all = Buffer.alloc(length);
  let begin = 0;
  for (const { bytes, from, before, places } of texts) {
    bytes.copy(all, begin);
    const placeOf = (digit: number) => (typeof places === 'number' ? places + digit : (places[digit] ?? 0));
    for (let at = 0; at < bytes.length; at++) {
      const byte = from + at;
      starts[begin + at] = placeOf(before + Math.floor((byte * 8) / 6));
      ends[begin + at] = placeOf(before + Math.ceil(((byte + 1) * 8) / 6) - 1) + 1;
    }
    begin += bytes.length + 1;
  }
  return { bytes: all, starts, ends, opens: [] };
}

function isText(bytes: Buffer): boolean {
  let high = 0;
  for (const byte of bytes) {
    if ((byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 0x7f) return false;
    if (byte >= 0x80) high++;
  }
  return high * 2 <= bytes.length;
}
