// Where lines end in the middle of something: at a fixed width, with an indent, behind a prefix that each line has.
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

/** Longer ones are known by themselves. */
const longestShortWord = 16;
const [tab, newline, carriage, blank, plus, comma, dot] = [9, 10, 13, 0x20, 0x2b, 0x2c, 0x2e];
const [sign, digit, space] = [0, 1, 2];
/** Runs of digits, and of blanks, count as one. */
const kindOf = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === blank || byte === tab) return space;
  return byte >= 0x30 && byte <= 0x39 ? digit : sign;
});
const [backslash, letterB] = [0x5c, 0x62];

/**
 * Lines in one, without the indents: what was cut within an escape is one again. A backslash at the end goes with the break,
 * and so does what joins pieces in quotes: a comma, a plus, the `b` of Python's bytes.
 */
export function withoutBreaks(text: Buffer): PlainText {
  const lineEnd = text.indexOf(newline);
  if (lineEnd < 0) return asItIs(text);
  const { put, leaveOpen, end } = writePlain(asItIs(text));
  let from = 0;
  for (let at = lineEnd; ; at = text.indexOf(newline, from)) {
    const isLast = at < 0;
    const to = isLast ? text.length : endOfPiece(text, from, at);
    for (let index = from; index < to; index++) put(text[index] ?? 0, index, index);
    if (isLast) break;
    from = at + 1;
    while (text[from] === blank || text[from] === tab) from++;
    if (isQuote(text[to - 1]) && text[from] === letterB && isQuote(text[from + 1])) from++;
  }
  leaveOpen();
  return end();
}

function endOfPiece(text: Buffer, from: number, lineEnd: number): number {
  const end = text[lineEnd - 1] === carriage ? lineEnd - 1 : lineEnd;
  if (text[end - 1] === backslash) return Math.max(from, end - 1);
  const last = beforeBlanks(text, end);
  const joint = text[last - 1];
  if (joint !== comma && joint !== plus && joint !== dot) return end;
  const piece = beforeBlanks(text, last - 1);
  return piece > from && isQuote(text[piece - 1]) ? piece : end;
}

function isQuote(byte: number | undefined): boolean {
  return byte === 0x22 || byte === 0x27;
}

/**
 * Where the word begins that ends the line before, where `at` is the first sign of a line; `at` itself: there is none, or it
 * is a long one. `isPart`: what words are made of.
 */
export function shortWordBefore(text: Buffer, at: number, isPart: Uint8Array): number {
  let end = beforeBlanks(text, at);
  if (text[end - 1] !== newline) return at;
  end--;
  if (text[end - 1] === carriage) end--;
  if (text[end - 1] === backslash) end--;
  end = beforeBlanks(text, end);
  let from = end;
  while (from > 0 && isPart[text[from - 1] ?? 0] === 1) if (end - --from > longestShortWord) return at;
  return from === end ? at : from;
}

function beforeBlanks(text: Buffer, at: number): number {
  let end = at;
  while (text[end - 1] === blank || text[end - 1] === tab) end--;
  return end;
}

/**
 * What stands behind the same prefix in lines that follow each other (`10:23:01 INFO `, `> `, `   12 `), each on a line of its
 * own; undefined: there are none. Numbers and indents in prefixes may differ.
 */
export function behindPrefixes(text: Buffer): PlainText | undefined {
  const writer = writePlain(asItIs(text));
  let any = false;
  let isLast = false;
  for (let from = 0, before = -1; from < text.length; ) {
    const found = text.indexOf(newline, from);
    const next = found < 0 ? text.length : found + 1;
    const isAlone = before < 0 || isRow(text, from, next);
    const [mine, others] = isAlone ? [0, 0] : commonPrefix(text, before, from, next);
    if (mine > 0 && !isLast) putLine(before + others, from);
    isLast = mine > 0;
    if (isLast) putLine(from + mine, next);
    any ||= isLast;
    before = from;
    from = next;
  }
  if (isLast) writer.leaveOpen();
  return any ? writer.end() : undefined;

  function putLine(first: number, to: number): void {
    for (let at = first; at < to; at++) writer.put(text[at] ?? 0, at, at);
  }
}

/** Of a dump, whose offset is no prefix; see dump-rows.ts. */
function isRow(text: Buffer, from: number, to: number): boolean {
  return /^\s*[0-9a-f]{6,16}:? {1,4}(?:[0-9a-f]{2}){1,8} /i.test(
    text.toString('latin1', from, Math.min(to, from + 64)),
  );
}

/** How long it is in the line at `from` and in the one before; 0: they have no more than an indent in common. */
function commonPrefix(
  text: Buffer,
  before: number,
  from: number,
  to: number,
): [mine: number, others: number] {
  let prefix: [number, number] = [0, 0];
  let [at, other] = [from, before];
  let isIndent = true;
  while (at < to && other < from) {
    const kind = kindOf[text[at] ?? 0];
    if (kind === sign ? text[at] !== text[other] : kind !== kindOf[text[other] ?? 0]) break;
    at = afterKind(text, at, kind);
    other = afterKind(text, other, kind);
    if (kind !== space) isIndent = false;
    else if (!isIndent) prefix = [at - from, other - before];
  }
  return prefix;
}

function afterKind(text: Buffer, from: number, kind: number | undefined): number {
  let at = from + 1;
  while (kind !== sign && kindOf[text[at] ?? 0] === kind) at++;
  return at;
}
