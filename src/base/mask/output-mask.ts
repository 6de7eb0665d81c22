// Takes secrets out of what programs print, however they spell them and wherever they break lines. What output is cut into
// is the matter of line-reader.ts.
import type { SecretValue } from '../secret-value.ts';
import { base32Texts } from './base32-texts.ts';
import { base64Texts } from './base64-texts.ts';
import { dumpRows } from './dump-rows.ts';
import { behindPrefixes } from './line-breaks.ts';
import { numberLists } from './number-lists.ts';
import { createPatternSet, type PatternSet } from './pattern-set.ts';
import { plainHex } from './plain-hex.ts';
import { plainTexts } from './plain-spelling.ts';
import { asItIs, type PlainText } from './plain-text.ts';
import { shortestPart, type ValueForms, valueForms } from './value-forms.ts';

/** What it was not told of it cannot know. */
export interface OutputMask {
  /** A text of one line or many, which is whole. It keeps its lines. */
  bytes(text: Buffer): Buffer;
  text(text: string): string;
  /** Of a text that goes on. */
  look(text: Buffer): MaskedText;
  /** Bytes of the longest form. */
  readonly longest: number;
}

export interface MaskedText {
  /** From where on it is not known yet what is in it: what comes may make a secret of it. Else the length of the text. */
  readonly openFrom: number;
  /** What has to be seen once more to find what goes on after the end. */
  readonly neededFrom: number;
  /** A place that is in no secret: this one, or the one before it. */
  outside(at: number): number;
  /** From one place to another; with `isOver` the beginning of a secret at the end of the text is masked too. */
  shown(from: number, to: number, isOver?: boolean): Buffer;
}

/** Of all values. */
type Patterns = { readonly [place in keyof ValueForms]: PatternSet };

/** Where a secret stands in a text: from, up to but not including to. */
type Range = readonly [from: number, to: number];

interface Findings {
  /** By line. */
  readonly ranges: Range[];
  /** Of each secret from its first line to its last. */
  readonly spans: Range[];
  /** Where beginnings of secrets stand that the text breaks off in, and how much of a form there is. */
  readonly beginnings: { readonly from: number; readonly length: number }[];
  neededFrom: number;
}

const redacted = Buffer.from('[redacted]');
const newline = 10;
/** `\\u0041` for one byte is 11 in base64 within base64; of a long typed array `, "1234": 104` is 13. */
const longestSpelling = 13;
/** base64 within base64. */
const mostLayers = 2;
const mostHeldBack = 64 * 1024;
/** Beginnings of fewer bytes are not told from other text. */
const unknownBytes = 3;

/** A mask for many values is made again for each that changes. */
const knownForms = new WeakMap<SecretValue, ValueForms>();

/**
 * Looks for each value and each of its lines, as they are and as programs spell them: percent-encoded by any language, with
 * the escapes of JSON, C and XML, quoted for shells and SQL, in quoted-printable, in UTF-16, in hexadecimal and in dumps, as a
 * list of numbers, in base32, and in base64 wherever in a longer text it begins; one such text within another, too; each
 * broken into lines of any width, with an indent or a prefix. What that costs does not grow with the number of values.
 */
export function createOutputMask(values: Iterable<SecretValue>): OutputMask {
  const all: ValueForms[] = [];
  let longest = 0;
  for (const value of values) {
    const forms = knownForms.get(value) ?? valueForms(value.bytes());
    knownForms.set(value, forms);
    all.push(forms);
    const { byteLength } = value;
    longest = Math.max(longest, Math.min(byteLength * longestSpelling, byteLength + mostHeldBack));
  }
  const patterns: Patterns = {
    literal: createPatternSet(all.flatMap(({ literal }) => literal)),
    plain: createPatternSet(all.flatMap(({ plain }) => plain)),
    tight: createPatternSet(all.flatMap(({ tight }) => tight)),
    hex: createPatternSet(all.flatMap(({ hex }) => hex)),
  };
  const { isEmpty } = patterns.literal;
  const bytes = (text: Buffer) => (isEmpty ? text : redact(text, findings(text, patterns).ranges));
  return {
    bytes,
    text: (text) => (isEmpty ? text : bytes(Buffer.from(text)).toString()),
    look: (text) => (isEmpty ? unmasked(text) : masked(text, findings(text, patterns))),
    longest,
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

function unmasked(text: Buffer): MaskedText {
  return {
    openFrom: text.length,
    neededFrom: text.length,
    outside: (at) => at,
    shown: (from, to) => text.subarray(from, to),
  };
}

function masked(text: Buffer, { ranges, spans, beginnings, neededFrom }: Findings): MaskedText {
  const openFrom = beginnings.reduce((first, { from }) => Math.min(first, from), text.length);
  const lastOnes = beginnings
    .filter(({ length }) => length >= shortestPart)
    .map(({ from }) => [from, text.length] as const);
  return {
    openFrom,
    neededFrom: outsideOf(spans, Math.min(openFrom, neededFrom)),
    outside: (at) => outsideOf(ranges, at),
    shown: (from, to, isOver = false) =>
      redact(text.subarray(from, to), clipped(isOver ? [...ranges, ...lastOnes] : ranges, from, to)),
  };
}

/** At the place, or before what it is in. */
function outsideOf(ranges: readonly Range[], at: number): number {
  return merged(ranges).find(([from, to]) => from < at && to > at)?.[0] ?? at;
}

function clipped(ranges: readonly Range[], from: number, to: number): Range[] {
  return ranges
    .filter(([start, end]) => start < to && end > from)
    .map(([start, end]) => [Math.max(start, from) - from, Math.min(end, to) - from]);
}

function findings(text: Buffer, patterns: Patterns, layers = mostLayers): Findings {
  const all: Findings = { ranges: [], spans: [], beginnings: [], neededFrom: text.length };
  findIn(asItIs(text), patterns.literal, all, text);
  const spelled = plainTexts(text);
  for (const plain of spelled) {
    lookInto(plain, patterns.plain, all, text);
    if (!patterns.tight.isEmpty) findTight(plain, patterns.tight, all, text);
  }
  lookInto(plainHex(spelled[0]), patterns.hex, all, text);
  for (const decoded of [base32Texts(text), numberLists(text)])
    if (decoded !== undefined) lookInto(decoded, patterns.literal, all, text);
  for (const rows of dumpRows(text)) lookInto(rows, patterns.literal, all, text);
  if (layers === 0) return all;
  // JSON in a token; a registry's credentials in a Secret of Kubernetes, which are base64 of JSON in which is base64.
  const inner = base64Texts(text);
  if (inner !== undefined) {
    addInner(inner, findings(inner.bytes, patterns, layers - 1), all, text);
    if (inner.openFrom !== undefined) all.beginnings.push({ from: inner.openFrom, length: 0 });
  }
  const lines = layers === mostLayers ? behindPrefixes(text) : undefined;
  if (lines !== undefined) {
    const within = findings(lines.bytes, patterns, layers - 1);
    addInner(lines, within, all, text);
    for (const { from, length } of lines.opens.length === 0 ? [] : within.beginnings)
      all.beginnings.push({ from: lines.starts[from] ?? 0, length });
  }
  return all;
}

function addInner(inner: PlainText, within: Findings, { ranges, spans }: Findings, text: Buffer): void {
  for (const [from, to] of within.ranges) addPlaces(inner, from, to, ranges, text);
  for (const [from, to] of within.spans) spans.push([inner.starts[from] ?? 0, inner.ends[to - 1] ?? 0]);
}

/** Adds what stands in it, and what it breaks off in. */
function lookInto(plain: PlainText, patterns: PatternSet, all: Findings, text: Buffer): void {
  findIn(plain, patterns, all, text);
  for (const open of plain.opens) {
    const at = patterns.beginningAt(plain.bytes, open);
    if (at !== undefined) all.beginnings.push({ from: plain.starts[at] ?? 0, length: open - at });
    all.neededFrom = Math.min(all.neededFrom, plain.starts[Math.max(0, open - unknownBytes)] ?? text.length);
  }
}

/** Adds where they stand in the text that the plain one is made of. */
function findIn(plain: PlainText, patterns: PatternSet, all: Findings, text: Buffer): void {
  patterns.find(plain.bytes, (at, { length }) =>
    all.spans.push(addPlaces(plain, at, at + length, all.ranges, text)),
  );
}

function findTight(plain: PlainText, patterns: PatternSet, { ranges }: Findings, text: Buffer): void {
  patterns.find(plain.bytes, (at, { length }) => {
    const [from, to] = [plain.starts[at] ?? 0, plain.ends[at + length - 1] ?? 0];
    if (!/\s/.test(text.toString('latin1', from, to))) ranges.push([from, to]);
  });
}

/** What stands between two lines of it (an offset, a prefix) is none of it. Answers from where to where it is in all. */
function addPlaces(
  { starts, ends }: PlainText,
  from: number,
  to: number,
  ranges: Range[],
  text: Buffer,
): Range {
  let [start, end] = [starts[from] ?? 0, ends[from] ?? 0];
  const first = start;
  for (let at = from + 1; at < to; at++) {
    const next = starts[at] ?? 0;
    if (hasBreak(text, end, next)) {
      ranges.push([start, end]);
      start = next;
    }
    // Words of the processor stand the other way round.
    start = Math.min(start, next);
    end = Math.max(end, ends[at] ?? 0);
  }
  ranges.push([start, end]);
  return [Math.min(first, start), end];
}

function hasBreak(text: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (text[at] === newline) return true;
  return false;
}

/** Each line of what is masked is masked by itself. */
function redact(text: Buffer, ranges: readonly Range[]): Buffer {
  if (ranges.length === 0) return text;
  const parts: Buffer[] = [];
  let done = 0;
  for (const [start, end] of merged(ranges)) {
    for (let from = start; from < end; ) {
      const found = text.subarray(0, end).indexOf(newline, from);
      const to = found < 0 ? end : found;
      const [first, last] = [
        from === start ? from : afterBlanks(text, from, to),
        beforeReturn(text, from, to),
      ];
      if (last > first) {
        parts.push(text.subarray(done, first), redacted);
        done = last;
      }
      from = to + 1;
    }
  }
  parts.push(text.subarray(done));
  return Buffer.concat(parts);
}

/** Those that overlap in one. */
function merged(ranges: readonly Range[]): Range[] {
  const all: [from: number, to: number][] = [];
  for (const [from, to] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = all.at(-1);
    if (last !== undefined && from < last[1]) last[1] = Math.max(last[1], to);
    else all.push([from, to]);
  }
  return all;
}

function afterBlanks(text: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && (text[at] === 0x20 || text[at] === 9)) at++;
  return at;
}

function beforeReturn(text: Buffer, from: number, to: number): number {
  return text[to] === newline && to > from && text[to - 1] === 13 ? to - 1 : to;
}
