// The lexer, as Go's text/template/parse: text and actions into items. Knows nothing of what items mean together.
import { encodeRune } from '../text/bytes.ts';
import { quoteString } from '../text/quote.ts';
import { isAlphaNumeric, isPrint } from '../text/unicode.ts';
import {
  backup,
  countLines,
  createScanState,
  emit,
  endOfInput,
  fail,
  type Item,
  type ItemType,
  ignore,
  type Keyword,
  next,
  peek,
  type ScanState,
  thisItem,
} from './scan.ts';

const keywords: ReadonlyMap<string, Keyword> = new Map([
  ['.', 'dot'],
  ['block', 'block'],
  ['break', 'break'],
  ['continue', 'continue'],
  ['define', 'define'],
  ['else', 'else'],
  ['end', 'end'],
  ['if', 'if'],
  ['range', 'range'],
  ['nil', 'nil'],
  ['template', 'template'],
  ['with', 'with'],
]);

const leftComment = '/*';
const rightComment = '*/';
const trimMarkerLength = 2;

export interface Lexer {
  /** The next item; after an error or the end always `eof`. */
  nextItem(): Item;
}

/** A step of the scanner; null once an item is ready. */
type Step = ((l: ScanState) => Step) | null;

/** Lexes a byte string with these delimiters. */
export function createLexer(input: string, left: string, right: string): Lexer {
  const l = createScanState(input, left, right);
  return {
    nextItem() {
      l.item = { type: 'eof', pos: l.pos, value: 'EOF', line: l.startLine };
      let step: Step = l.isInsideAction ? lexInsideAction : lexText;
      while (step !== null) step = step(l);
      return l.item;
    },
  };
}

/** Scans to the next left delimiter. */
function lexText(l: ScanState): Step {
  const at = l.input.indexOf(l.left, l.pos);
  if (at < 0) {
    l.pos = l.input.length;
    if (l.pos === l.start) return emit(l, 'eof');
    l.line += countLines(l.input, l.start, l.pos);
    return emit(l, 'text');
  }
  if (at > l.pos) {
    const isTrimmed = hasLeftTrimMarker(l.input, at + l.left.length);
    l.pos = isTrimmed ? trimRight(l.input, l.start, at) : at;
    l.line += countLines(l.input, l.start, l.pos);
    const item = thisItem(l, 'text');
    l.pos = at;
    ignore(l);
    if (item.value !== '') {
      l.item = item;
      return null;
    }
  }
  return lexLeftDelim;
}

function isSpace(rune: number): boolean {
  return rune === 0x20 || rune === 9 || rune === 13 || rune === 10;
}

function trimRight(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

function trimLeft(text: string, start: number): number {
  let at = start;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function hasLeftTrimMarker(text: string, at: number): boolean {
  return text[at] === '-' && isSpace(text.charCodeAt(at + 1));
}

function hasRightTrimMarker(text: string, at: number): boolean {
  return isSpace(text.charCodeAt(at)) && text[at + 1] === '-';
}

/** Whether a right delimiter is here; `trim` when a trim marker is in front of it. */
function rightDelimHere(l: ScanState, at: number): 'none' | 'plain' | 'trim' {
  if (hasRightTrimMarker(l.input, at) && l.input.startsWith(l.right, at + trimMarkerLength)) return 'trim';
  return l.input.startsWith(l.right, at) ? 'plain' : 'none';
}

function lexLeftDelim(l: ScanState): Step {
  l.pos += l.left.length;
  const afterMarker = hasLeftTrimMarker(l.input, l.pos) ? trimMarkerLength : 0;
  if (l.input.startsWith(leftComment, l.pos + afterMarker)) {
    l.pos += afterMarker;
    ignore(l);
    return lexComment;
  }
  l.item = thisItem(l, 'leftDelim');
  l.isInsideAction = true;
  l.pos += afterMarker;
  ignore(l);
  l.parenDepth = 0;
  return null;
}

function lexComment(l: ScanState): Step {
  const end = l.input.indexOf(rightComment, l.pos + leftComment.length);
  if (end < 0) return fail(l, 'unclosed comment');
  l.pos = end + rightComment.length;
  const delim = rightDelimHere(l, l.pos);
  if (delim === 'none') return fail(l, 'comment ends before closing delimiter');
  l.pos += l.right.length + (delim === 'trim' ? trimMarkerLength : 0);
  if (delim === 'trim') l.pos = trimLeft(l.input, l.pos);
  ignore(l);
  return lexText;
}

function lexRightDelim(l: ScanState): Step {
  const isTrimmed = rightDelimHere(l, l.pos) === 'trim';
  if (isTrimmed) {
    l.pos += trimMarkerLength;
    ignore(l);
  }
  l.pos += l.right.length;
  l.item = thisItem(l, 'rightDelim');
  if (isTrimmed) {
    l.pos = trimLeft(l.input, l.pos);
    ignore(l);
  }
  l.isInsideAction = false;
  return null;
}

const singles: ReadonlyMap<number, ItemType> = new Map([
  [0x3d, 'assign'],
  [0x7c, 'pipe'],
]);

/** Scans one element of an action. */
function lexInsideAction(l: ScanState): Step {
  if (rightDelimHere(l, l.pos) !== 'none') {
    return l.parenDepth === 0 ? lexRightDelim : fail(l, 'unclosed left paren');
  }
  const rune = next(l);
  if (rune === endOfInput) return fail(l, 'unclosed action');
  if (isSpace(rune)) {
    backup(l);
    return lexSpace;
  }
  const single = singles.get(rune);
  if (single !== undefined) return emit(l, single);
  return lexElement(l, rune);
}

function lexElement(l: ScanState, rune: number): Step {
  switch (String.fromCodePoint(rune)) {
    case ':':
      return next(l) === 0x3d ? emit(l, 'declare') : fail(l, 'expected :=');
    case '"':
      return lexQuote;
    case '`':
      return lexRawQuote;
    case '$':
      return isAtTerminator(l) ? emit(l, 'variable') : lexFieldOrVariable(l, 'variable');
    case "'":
      return lexChar;
    case '(':
      l.parenDepth++;
      return emit(l, 'leftParen');
    case ')':
      l.parenDepth--;
      return l.parenDepth < 0 ? fail(l, 'unexpected right paren') : emit(l, 'rightParen');
    case '.':
      if (l.pos < l.input.length && !isDigit(l.input.charCodeAt(l.pos)))
        return lexFieldOrVariable(l, 'field');
      backup(l);
      return lexNumber;
  }
  return lexWord(l, rune);
}

function lexWord(l: ScanState, rune: number): Step {
  if (rune === 0x2b || rune === 0x2d || isDigit(rune)) {
    backup(l);
    return lexNumber;
  }
  if (isAlphaNumeric(rune)) {
    backup(l);
    return lexIdentifier;
  }
  return rune < 0x80 && isPrint(rune)
    ? emit(l, 'char')
    : fail(l, `unrecognized character in action: ${show(rune)}`);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** U+0021 '!', as %#U. */
function show(rune: number): string {
  if (rune === endOfInput) return 'U+FFFFFFFFFFFFFFFF';
  const code = `U+${rune.toString(16).toUpperCase().padStart(4, '0')}`;
  return isPrint(rune) ? `${code} '${encodeRune(rune)}'` : code;
}

/** A run of spaces; the last one may belong to a trim marker. */
function lexSpace(l: ScanState): Step {
  while (isSpace(l.input.charCodeAt(l.pos))) {
    if (l.input.charCodeAt(l.pos) === 10) l.line++;
    l.pos++;
  }
  if (rightDelimHere(l, l.pos - 1) === 'trim') {
    const isOnlyOne = l.pos - l.start === 1;
    l.pos--;
    if (l.input.charCodeAt(l.pos) === 10) l.line--;
    if (isOnlyOne) return lexRightDelim;
  }
  return emit(l, 'space');
}

const asciiName = /[A-Za-z0-9_]*/y;

/** Takes letters, digits and `_`; gives the rune that comes after them. */
function acceptName(l: ScanState): number {
  for (;;) {
    asciiName.lastIndex = l.pos;
    asciiName.test(l.input);
    l.pos = asciiName.lastIndex;
    const rune = next(l);
    if (rune < 0x80 || !isAlphaNumeric(rune)) {
      backup(l);
      return rune;
    }
  }
}

function lexIdentifier(l: ScanState): Step {
  const after = acceptName(l);
  const word = l.input.slice(l.start, l.pos);
  if (!isAtTerminator(l)) return fail(l, `bad character ${show(after)}`);
  const keyword = keywords.get(word);
  if (keyword !== undefined) return emit(l, keyword);
  return emit(l, word === 'true' || word === 'false' ? 'bool' : 'identifier');
}

/** `.name`, `$name`, or a lone `.` or `$`, whose first character is read already. */
function lexFieldOrVariable(l: ScanState, type: 'field' | 'variable'): Step {
  if (isAtTerminator(l)) return emit(l, type === 'variable' ? 'variable' : 'dot');
  const after = acceptName(l);
  return isAtTerminator(l) ? emit(l, type) : fail(l, `bad character ${show(after)}`);
}

/** Whether a name may end here. */
function isAtTerminator(l: ScanState): boolean {
  if (l.pos >= l.input.length || isSpace(l.input.charCodeAt(l.pos))) return true;
  return '.,|:)('.includes(l.input.charAt(l.pos)) || l.input.startsWith(l.right, l.pos);
}

function lexChar(l: ScanState): Step {
  return lexUntil(l, 0x27, 'charConstant', 'unterminated character constant');
}

function lexQuote(l: ScanState): Step {
  return lexUntil(l, 0x22, 'string', 'unterminated quoted string');
}

/** Up to the closing quote on this line; whether escapes are right is the parser's matter. */
function lexUntil(l: ScanState, quote: number, type: ItemType, message: string): Step {
  for (;;) {
    let rune = next(l);
    if (rune === quote) return emit(l, type);
    if (rune === 0x5c) {
      rune = next(l);
      if (rune !== endOfInput && rune !== 10) continue;
    }
    if (rune === endOfInput || rune === 10) return fail(l, message);
  }
}

function lexRawQuote(l: ScanState): Step {
  const end = l.input.indexOf('`', l.pos);
  if (end < 0) return fail(l, 'unterminated raw quoted string');
  l.line += countLines(l.input, l.pos, end);
  l.pos = end + 1;
  return emit(l, 'rawString');
}

/** Takes more than numbers (`0x0.2`, `089`); the parser finds out. */
function lexNumber(l: ScanState): Step {
  if (!scanNumber(l)) return badNumber(l);
  const sign = peek(l);
  if (sign !== 0x2b && sign !== 0x2d) return emit(l, 'number');
  if (!scanNumber(l) || l.input[l.pos - 1] !== 'i') return badNumber(l);
  return emit(l, 'complex');
}

function badNumber(l: ScanState): null {
  return fail(l, `bad number syntax: ${quoteString(l.input.slice(l.start, l.pos))}`);
}

const numberShape = new RegExp(
  [
    '[+-]?(?:',
    '0[xX][0-9a-fA-F_]*(?:\\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|',
    '0[oO][0-7_]*(?:\\.[0-7_]*)?|',
    '0[bB][01_]*(?:\\.[01_]*)?|',
    '[0-9_]*(?:\\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?',
    ')i?',
  ].join(''),
  'y',
);

/** Takes a number; false when a letter or digit follows, which is taken too. */
function scanNumber(l: ScanState): boolean {
  numberShape.lastIndex = l.pos;
  numberShape.test(l.input);
  l.pos = numberShape.lastIndex;
  const after = peek(l);
  if (after === endOfInput || !isAlphaNumeric(after)) return true;
  next(l);
  return false;
}
