// Scalars of YAML as libyaml scans them: plain, in quotes, and blocks behind `|` and `>`.
import type { Mark, YamlReader } from './yaml-reader.ts';

export interface ScannedScalar {
  readonly text: string;
  /** Whether the scalar ended at a new line, where a key may begin. */
  readonly endsLine: boolean;
}

/** What stands between two pieces of a scalar. */
class Gap {
  #blanks = '';
  #firstBreak = '';
  #moreBreaks = '';
  hasBreak = false;

  isEmpty(): boolean {
    return !this.hasBreak && this.#blanks === '';
  }

  blank(char: string): void {
    if (!this.hasBreak) this.#blanks += char;
  }

  lineBreak(char: string): void {
    if (this.hasBreak) this.#moreBreaks += char;
    else this.#firstBreak = char;
    this.hasBreak = true;
  }

  /** After an escaped line end: as a line end that gives nothing. */
  escapedBreak(): void {
    this.hasBreak = true;
  }

  /** Folds: one line end is a space, of several the first goes. */
  take(): string {
    const folded = this.#moreBreaks === '' ? ' ' : this.#moreBreaks;
    const text = !this.hasBreak
      ? this.#blanks
      : this.#firstBreak === '\n'
        ? folded
        : this.#firstBreak + this.#moreBreaks;
    this.#blanks = this.#firstBreak = this.#moreBreaks = '';
    this.hasBreak = false;
    return text;
  }
}

/** Takes blanks and line ends into the gap. */
function readGap(reader: YamlReader, gap: Gap, onBlank?: () => void): void {
  for (;;) {
    if (reader.isBlank()) {
      onBlank?.();
      gap.blank(reader.read());
    } else if (reader.isBreak()) gap.lineBreak(reader.readLine());
    else return;
  }
}

const flowEnds = new Set(',?[]{}');

export function scanPlainScalar(reader: YamlReader, outerIndent: number, isInFlow: boolean): ScannedScalar {
  const start = reader.mark();
  const indent = outerIndent + 1;
  const gap = new Gap();
  let text = '';
  while (!reader.isDocumentIndicator() && reader.char() !== '#') {
    while (!reader.isBlankOrEnd()) {
      const char = reader.char();
      if ((char === ':' && reader.isBlankOrEnd(1)) || (isInFlow && flowEnds.has(char))) break;
      if (!gap.isEmpty()) text += gap.take();
      text += reader.read();
    }
    if (!reader.isBlank() && !reader.isBreak()) break;
    readGap(reader, gap, () => {
      if (gap.hasBreak && reader.column < indent && reader.char() === '\t') {
        throw reader.fault('found a tab character that violates indentation', start);
      }
    });
    if (!isInFlow && reader.column < indent) break;
  }
  return { text, endsLine: gap.hasBreak };
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  "'": "'",
  '\\': '\\',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
};
const hexLengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

export function scanQuotedScalar(reader: YamlReader): ScannedScalar {
  const start = reader.mark();
  const quote = reader.read();
  const gap = new Gap();
  let text = '';
  for (;;) {
    if (reader.isDocumentIndicator()) throw reader.fault('found unexpected document indicator', start);
    if (reader.isEnd()) throw reader.fault('found unexpected end of stream', start);
    text += readQuotedRun(reader, quote, start, gap);
    if (reader.char() === quote) break;
    readGap(reader, gap);
    text += gap.take();
  }
  reader.skip();
  return { text, endsLine: false };
}

/** Up to the next blank, line end or the closing quote. */
function readQuotedRun(reader: YamlReader, quote: string, start: Mark, gap: Gap): string {
  let text = '';
  while (!reader.isBlankOrEnd()) {
    const char = reader.char();
    if (char === quote) {
      if (quote === '"' || reader.char(1) !== "'") break;
      text += "'";
      reader.skip(2);
    } else if (char === '\\' && quote === '"') {
      if (reader.isBreak(1)) {
        reader.skip();
        reader.readLine();
        gap.escapedBreak();
        break;
      }
      text += readEscape(reader, start);
    } else text += reader.read();
  }
  return text;
}

function readEscape(reader: YamlReader, start: Mark): string {
  const letter = reader.char(1);
  const simple = Object.hasOwn(simpleEscapes, letter) ? simpleEscapes[letter] : undefined;
  const length = hexLengths[letter];
  if (simple === undefined && length === undefined)
    throw reader.fault('found unknown escape character', start);
  reader.skip(2);
  if (simple !== undefined) return simple;
  const digits = reader.text.slice(reader.index, reader.index + (length ?? 0));
  if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) {
    throw reader.fault('did not find expected hexdecimal number', start);
  }
  const code = Number.parseInt(digits, 16);
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) {
    throw reader.fault('found invalid Unicode character escape code', start);
  }
  reader.skip(length);
  return String.fromCodePoint(code);
}

interface BlockHeader {
  readonly chomping: string;
  readonly increment: number;
}

export function scanBlockScalar(reader: YamlReader, outerIndent: number): ScannedScalar {
  const start = reader.mark();
  const isLiteral = reader.read() === '|';
  const { chomping, increment } = scanBlockHeader(reader, start);
  const wanted = increment === 0 ? 0 : Math.max(outerIndent, 0) + increment;
  let { breaks, indent } = scanBlockBreaks(reader, wanted, outerIndent, start);
  let text = '';
  let leadingBreak = '';
  let wasBlank = false;
  while (reader.column === indent && !reader.isEnd()) {
    const isBlank = reader.isBlank();
    const isFolded = !isLiteral && !wasBlank && !isBlank && leadingBreak === '\n';
    if (!isFolded) text += leadingBreak;
    else if (breaks === '') text += ' ';
    text += breaks;
    wasBlank = isBlank;
    const from = reader.index;
    while (!reader.isBreakOrEnd()) reader.skip();
    text += reader.text.slice(from, reader.index);
    leadingBreak = reader.isEnd() ? '' : reader.readLine();
    ({ breaks, indent } = scanBlockBreaks(reader, indent, outerIndent, start));
  }
  if (chomping !== '-') text += leadingBreak;
  if (chomping === '+') text += breaks;
  return { text, endsLine: true };
}

/** `+` or `-` and a digit, in any order, then perhaps a comment, to the line's end. */
function scanBlockHeader(reader: YamlReader, start: Mark): BlockHeader {
  const header = /^(?:([+-])(\d)?|(\d)([+-])?)/.exec(reader.text.slice(reader.index, reader.index + 2)) ?? [];
  const digit = header[2] ?? header[3] ?? '';
  if (digit === '0') throw reader.fault('found an indentation indicator equal to 0', start);
  reader.skip((header[0] ?? '').length);
  reader.skipBlanks();
  reader.skipComment();
  if (!reader.isBreakOrEnd()) throw reader.fault('did not find expected comment or line break', start);
  if (reader.isBreak()) reader.readLine();
  return { chomping: header[1] ?? header[4] ?? '', increment: Number(digit) };
}

/** Empty lines and the indentation; an indent of 0 is found out here. */
function scanBlockBreaks(
  reader: YamlReader,
  wanted: number,
  outerIndent: number,
  start: Mark,
): { breaks: string; indent: number } {
  let breaks = '';
  let deepest = 0;
  for (;;) {
    while ((wanted === 0 || reader.column < wanted) && reader.isSpace()) reader.skip();
    deepest = Math.max(deepest, reader.column);
    if ((wanted === 0 || reader.column < wanted) && reader.char() === '\t') {
      throw reader.fault('found a tab character where an indentation space is expected', start);
    }
    if (!reader.isBreak()) break;
    breaks += reader.readLine();
  }
  return { breaks, indent: wanted === 0 ? Math.max(deepest, outerIndent + 1, 1) : wanted };
}
