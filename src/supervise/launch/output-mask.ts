// Takes secrets out of what programs print, however they spell them. The forms that are looked for are kept as bytes, not
// as strings: a heap snapshot shows strings. Lines are cut in line-reader.ts.
import type { SecretValue } from '../../base/secret-value.ts';
import { base64Texts } from './base64-texts.ts';
import { foldedBytes, type PlainText, plainHex, plainTexts } from './plain-spelling.ts';

/** Masks whole lines; what it was not told of it cannot know. */
export interface OutputMask {
  bytes(line: Buffer): Buffer;
  text(line: string): string;
  /** Bytes of the longest form. */
  readonly longest: number;
  /** The same with a piece of a form at the very end masked too: output may break off in the middle of a secret. */
  lastBytes(line: Buffer): Buffer;
}

/** What to look for, of one value or several. */
interface Forms {
  /** As they stand. */
  readonly literal: readonly Buffer[];
  /** In the plain spellings of a line. */
  readonly plain: readonly Buffer[];
  /** In the plain hexadecimal of a line. */
  readonly hex: readonly Buffer[];
}

/** Where a secret stands in a line: from, up to but not including to. */
type Range = readonly [from: number, to: number];

const redacted = Buffer.from('[redacted]');
/** Shorter values (`1`, `yes`) are no secrets, and masking them would make the output unreadable. */
const shortestValue = 4;
/** A line of a value with several lines, an encoding of a value, a piece at the end. */
const shortestPart = 8;
/** `\\u0041` for one byte, in base64 within base64; in JSON within JSON within JSON it is 9. */
const longestSpelling = 11;
/** base64 within base64. */
const mostLayers = 2;
const mostHeldBack = 64 * 1024;

/** A mask for many values is made again for each that changes. */
const knownForms = new WeakMap<SecretValue, Forms>();

/**
 * Looks for each value and each of its lines, as they are and as programs spell them: percent-encoded by any language, with
 * the escapes of JSON, C and XML, quoted for shells and SQL, in hexadecimal, and in base64 wherever in a longer text
 * it begins; one such text within another, too.
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
  const forms: Forms = {
    literal: distinct(all.flatMap(({ literal }) => literal)),
    plain: distinct(all.flatMap(({ plain }) => plain)),
    hex: distinct(all.flatMap(({ hex }) => hex)),
  };
  const isEmpty = forms.literal.length === 0;
  const bytes = (line: Buffer) => (isEmpty ? line : redact(line, rangesOf(line, forms)));
  return {
    bytes,
    text: (line) => (isEmpty ? line : bytes(Buffer.from(line)).toString()),
    longest,
    lastBytes: (line) => (isEmpty ? line : redact(line, [...rangesOf(line, forms), ...endOf(line, forms)])),
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
  const spelled = literal.flatMap((part) => plainTexts(part).map(({ bytes }) => Buffer.from(bytes)));
  const base64 = literal.flatMap(base64Forms).map(foldedBytes);
  return {
    literal,
    plain: [
      ...spelled.filter((part) => part.length >= shortestValue),
      ...base64.filter((part) => part.length >= shortestPart),
    ],
    hex: literal.map((part) => Buffer.from(part.toString('hex'))),
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

function distinct(forms: readonly Buffer[]): Buffer[] {
  const found = new Map(forms.map((form) => [form.toString('latin1'), form]));
  const longestFirst = [...found.values()].sort((a, b) => b.length - a.length);
  found.clear();
  return longestFirst;
}

function rangesOf(line: Buffer, forms: Forms, layers = mostLayers): Range[] {
  const ranges: Range[] = [];
  // JSON in a token; a registry's credentials in a Secret of Kubernetes, which are base64 of JSON in which is base64.
  const inner = layers === 0 ? undefined : base64Texts(line);
  for (const [from, to] of inner === undefined ? [] : rangesOf(inner.bytes, forms, layers - 1))
    ranges.push([inner?.starts[from] ?? 0, inner?.ends[to - 1] ?? 0]);
  for (const form of forms.literal) find(line, form, (at) => ranges.push([at, at + form.length]));
  for (const plain of plainTexts(line)) ranges.push(...rangesIn(plain, forms.plain));
  ranges.push(...rangesIn(plainHex(line), forms.hex));
  return ranges;
}

function rangesIn({ bytes, starts, ends }: PlainText, forms: readonly Buffer[]): Range[] {
  const ranges: Range[] = [];
  for (const form of forms) {
    find(bytes, form, (at) => ranges.push([starts[at] ?? 0, ends[at + form.length - 1] ?? 0]));
  }
  return ranges;
}

function find(line: Buffer, form: Buffer, onFound: (at: number) => void): void {
  for (let at = line.indexOf(form); at >= 0; at = line.indexOf(form, at + form.length)) onFound(at);
}

/** The longest piece of a form, from its beginning, that the line ends with. */
function endOf(line: Buffer, forms: Forms): Range[] {
  const inLine = pieceAtEnd(line, forms.literal);
  const inPlain = plainTexts(line).flatMap((plain) => {
    const at = pieceAtEnd(plain.bytes, forms.plain);
    return at === undefined ? [] : [plain.starts[at] ?? 0];
  });
  return [...inPlain, ...(inLine === undefined ? [] : [inLine])].map((from) => [from, line.length] as const);
}

function pieceAtEnd(line: Buffer, forms: readonly Buffer[]): number | undefined {
  let earliest: number | undefined;
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, line.length); length >= shortestPart; length--) {
      const start = line.length - length;
      if (earliest !== undefined && start >= earliest) break;
      if (line.subarray(start).equals(form.subarray(0, length))) earliest = start;
    }
  }
  return earliest;
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
