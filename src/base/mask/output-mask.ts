// Takes secrets out of what programs print, however they spell them. The forms that are looked for are kept as bytes, not
// as strings: a heap snapshot shows strings. Lines are cut in line-reader.ts.
import { isUtf8 } from 'node:buffer';
import type { SecretValue } from '../secret-value.ts';
import { base32Texts } from './base32-texts.ts';
import { base64Texts } from './base64-texts.ts';
import { numberLists } from './number-lists.ts';
import { createPatternSet, type PatternSet } from './pattern-set.ts';
import { plainHex } from './plain-hex.ts';
import { foldedBytes, plainTexts } from './plain-spelling.ts';
import { asItIs, type PlainText } from './plain-text.ts';

/** Masks whole lines; what it was not told of it cannot know. */
export interface OutputMask {
  bytes(line: Buffer): Buffer;
  text(line: string): string;
  /** Bytes of the longest form. */
  readonly longest: number;
  /** The same with a piece of a form at the very end masked too: output may break off in the middle of a secret. */
  lastBytes(line: Buffer): Buffer;
}

/** What to look for of a value: where, and in which form. */
interface Forms {
  /** As they stand, and in what was decoded. */
  readonly literal: readonly Buffer[];
  /** In the plain spellings of a line. */
  readonly plain: readonly Buffer[];
  /** In the plain hexadecimal of a line. */
  readonly hex: readonly Buffer[];
}

/** Of all values. */
type Patterns = { readonly [place in keyof Forms]: PatternSet };

/** Where a secret stands in a line: from, up to but not including to. */
type Range = readonly [from: number, to: number];

const redacted = Buffer.from('[redacted]');
/** Shorter values (`1`, `yes`) are no secrets, and masking them would make the output unreadable. */
const shortestValue = 4;
/** A line of a value with several lines, an encoding of a value, a piece at the end. */
const shortestPart = 8;
/** `\\u0041` for one byte is 11 in base64 within base64; of a long typed array `, "1234": 104` is 13. */
const longestSpelling = 13;
/** base64 within base64. */
const mostLayers = 2;
const mostHeldBack = 64 * 1024;

/** A mask for many values is made again for each that changes. */
const knownForms = new WeakMap<SecretValue, Forms>();

/**
 * Looks for each value and each of its lines, as they are and as programs spell them: percent-encoded by any language, with
 * the escapes of JSON, C and XML, quoted for shells and SQL, in quoted-printable, in UTF-16, in hexadecimal, as a list of
 * numbers, in base32, and in base64 wherever in a longer text it begins; one such text within another, too. What that costs
 * does not grow with the number of values.
 */
export function createOutputMask(values: Iterable<SecretValue>): OutputMask {
  const all: Forms[] = [];
  let longest = 0;
  for (const value of values) {
    const forms = knownForms.get(value) ?? formsOf(value.bytes());
    knownForms.set(value, forms);
    all.push(forms);
    const { byteLength } = value;
    longest = Math.max(longest, Math.min(byteLength * longestSpelling, byteLength + mostHeldBack));
  }
  const patterns: Patterns = {
    literal: createPatternSet(all.flatMap(({ literal }) => literal)),
    plain: createPatternSet(all.flatMap(({ plain }) => plain)),
    hex: createPatternSet(all.flatMap(({ hex }) => hex)),
  };
  const { isEmpty } = patterns.literal;
  const bytes = (line: Buffer) => (isEmpty ? line : redact(line, rangesOf(line, patterns)));
  return {
    bytes,
    text: (line) => (isEmpty ? line : bytes(Buffer.from(line)).toString()),
    longest,
    lastBytes: (line) =>
      isEmpty ? line : redact(line, [...rangesOf(line, patterns), ...piecesAtEnd(line, all)]),
  };
}

/** The mask of this moment for some values and those in use: made again when `inUse` answers with another array. */
export function createLiveMask(
  own: readonly SecretValue[],
  inUse: () => readonly SecretValue[],
): () => OutputMask {
  let mask: OutputMask | undefined;
  let madeOf: readonly SecretValue[] | undefined;
  return () => {
    const now = inUse();
    if (mask === undefined || now !== madeOf) mask = createOutputMask([...own, ...now]);
    madeOf = now;
    return mask;
  };
}

function formsOf(value: Buffer): Forms {
  if (value.length < shortestValue) return { literal: [], plain: [], hex: [] };
  const literal = [value, latin1Of(value)].flatMap((text) =>
    text === undefined ? [] : [Buffer.from(text), ...linesOf(text)],
  );
  const wide = literal.flatMap(utf16Of);
  const spelled = [...literal, ...wide].flatMap((part) =>
    plainTexts(part).map(({ bytes }) => Buffer.from(bytes)),
  );
  const base64 = [...literal, ...utf16Of(value).slice(0, 1)].flatMap(base64Forms).map(foldedBytes);
  return {
    literal: [...literal, ...wide],
    plain: [
      ...spelled.filter((part) => part.length >= shortestValue),
      ...base64.filter((part) => part.length >= shortestPart),
    ],
    hex: [...literal, ...wide].map((part) => Buffer.from(part.toString('hex'))),
  };
}

/** Programs print texts of several lines line by line. */
function linesOf(value: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let from = 0;
  for (let at = value.indexOf(10); at >= 0; at = value.indexOf(10, from)) {
    lines.push(value.subarray(from, at > from && value[at - 1] === 13 ? at - 1 : at));
    from = at + 1;
  }
  if (from > 0) lines.push(value.subarray(from));
  return lines.filter((line) => line.length >= shortestPart).map((line) => Buffer.from(line));
}

/**
 * What there is of Latin-1 in one byte each, as older programs write it and Python as `\xe4`; undefined where that is
 * the same.
 */
function latin1Of(value: Buffer): Buffer | undefined {
  if (value.every((byte) => byte < 0x80)) return undefined;
  const text = value.toString('utf8');
  const signs = text.replace(/[^\0-\xff]+/g, (others) => Buffer.from(others).toString('latin1'));
  const bytes = Buffer.from(signs, 'latin1');
  return bytes.length < value.length && bytes.length >= shortestValue ? bytes : undefined;
}

/** As Windows, Java and databases write it: the low byte first, and the high one. None of what is no text. */
function utf16Of(value: Buffer): Buffer[] {
  if (!isUtf8(value)) return [];
  const littleEnd = Buffer.from(value.toString('utf8'), 'utf16le');
  return [littleEnd, Buffer.from(littleEnd).swap16()];
}

/**
 * base64 (RFC 4648, 4 and 5) writes three bytes as four characters: three beginnings are possible in a longer text, and
 * the characters at both ends depend on what stands beside the value.
 */
function base64Forms(value: Buffer): Buffer[] {
  return [0, 1, 2].flatMap((before) => {
    const bits = (before + value.length) * 8;
    const first = Math.ceil((before * 8) / 6);
    const text = Buffer.concat([Buffer.alloc(before), value])
      .toString('base64')
      .slice(first, Math.floor(bits / 6));
    return [Buffer.from(text), Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'))];
  });
}

function rangesOf(line: Buffer, patterns: Patterns, layers = mostLayers): Range[] {
  // JSON in a token; a registry's credentials in a Secret of Kubernetes, which are base64 of JSON in which is base64.
  const inner = layers === 0 ? undefined : base64Texts(line);
  const ranges: Range[] =
    inner === undefined
      ? []
      : rangesOf(inner.bytes, patterns, layers - 1).map(([from, to]) => placeOf(inner, from, to));
  const decoded = [asItIs(line), base32Texts(line), numberLists(line)];
  for (const text of decoded) if (text !== undefined) findIn(text, patterns.literal, ranges);
  for (const plain of plainTexts(line)) findIn(plain, patterns.plain, ranges);
  findIn(plainHex(line), patterns.hex, ranges);
  return ranges;
}

/** Adds where they stand in the line that the text is made of. */
function findIn(text: PlainText, patterns: PatternSet, ranges: Range[]): void {
  patterns.find(text.bytes, (at, { length }) => ranges.push(placeOf(text, at, at + length)));
}

function placeOf({ starts, ends }: PlainText, from: number, to: number): Range {
  return [starts[from] ?? 0, ends[to - 1] ?? 0];
}

/** The longest piece of a form, from its beginning, that the line ends with: as it stands, and in a plain spelling. */
function piecesAtEnd(line: Buffer, all: readonly Forms[]): Range[] {
  const literal = pieceAtEnd(
    line,
    all.flatMap((forms) => forms.literal),
  );
  const plain = all.flatMap((forms) => forms.plain);
  const inPlain = plainTexts(line).flatMap(({ bytes, starts }) => {
    const at = pieceAtEnd(bytes, plain);
    return at === undefined ? [] : [starts[at] ?? 0];
  });
  return [...inPlain, ...(literal === undefined ? [] : [literal])].map(
    (from) => [from, line.length] as const,
  );
}

function pieceAtEnd(line: Buffer, forms: readonly Buffer[]): number | undefined {
  const longest = forms.reduce((most, { length }) => Math.max(most, length), 0);
  const first = Math.max(0, line.length - longest + 1);
  const begins: number[] = [];
  const beginnings = createPatternSet(
    forms.flatMap((form) => (form.length > shortestPart ? [form.subarray(0, shortestPart)] : [])),
  );
  beginnings.find(line.subarray(first), (at) => begins.push(first + at));
  return begins.sort((a, b) => a - b).find((at) => forms.some((form) => beginsWith(form, line.subarray(at))));
}

function beginsWith(form: Buffer, piece: Buffer): boolean {
  const { length } = piece;
  if (form.length <= length || form[length - 1] !== piece[length - 1]) return false;
  return form.compare(piece, 0, length, 0, length) === 0;
}

function redact(line: Buffer, ranges: readonly Range[]): Buffer {
  if (ranges.length === 0) return line;
  const parts: Buffer[] = [];
  let done = 0;
  let from = -1;
  let to = -1;
  const put = () => {
    if (from < 0) return;
    parts.push(line.subarray(done, from), redacted);
    done = to;
  };
  for (const [start, end] of [...ranges].sort(([a], [b]) => a - b)) {
    if (from >= 0 && start < to) to = Math.max(to, end);
    else {
      put();
      from = start;
      to = end;
    }
  }
  put();
  parts.push(line.subarray(done));
  return Buffer.concat(parts);
}
