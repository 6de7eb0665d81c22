// What a lexer reads with: its place in the input, runes, lines, items. The grammar is in lex.ts.
import { decodeLastRune, decodeRune } from '../text/bytes.ts';
import { quoteString } from '../text/quote.ts';

export type ItemType =
  | 'error'
  | 'bool'
  | 'char'
  | 'charConstant'
  | 'comment'
  | 'complex'
  | 'assign'
  | 'declare'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'leftDelim'
  | 'leftParen'
  | 'number'
  | 'pipe'
  | 'rawString'
  | 'rightDelim'
  | 'rightParen'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | Keyword;

export type Keyword =
  | 'block'
  | 'break'
  | 'continue'
  | 'dot'
  | 'define'
  | 'else'
  | 'end'
  | 'if'
  | 'nil'
  | 'range'
  | 'template'
  | 'with';

const keywordTypes: ReadonlySet<ItemType> = new Set<ItemType>([
  'block',
  'break',
  'continue',
  'dot',
  'define',
  'else',
  'end',
  'if',
  'nil',
  'range',
  'template',
  'with',
]);

/** A token: its type, where it starts (in bytes), its text (of an error: the message), its line from 1. */
export interface Item {
  readonly type: ItemType;
  readonly pos: number;
  readonly value: string;
  readonly line: number;
}

/** An item as error messages show it. */
export function itemText(item: Item): string {
  if (item.type === 'eof') return 'EOF';
  if (item.type === 'error') return item.value;
  if (keywordTypes.has(item.type)) return `<${item.value}>`;
  if (item.value.length <= 10) return quoteString(item.value);
  let end = 0;
  for (let runes = 0; runes < 10; runes++) end += decodeRune(item.value, end).size;
  return `${quoteString(item.value.slice(0, end))}...`;
}

/** What `next` gives at the end of the input. */
export const endOfInput = -1;
/** What the scanner is at. Positions count bytes. */
export interface ScanState {
  input: string;
  readonly left: string;
  readonly right: string;
  pos: number;
  start: number;
  isAtEnd: boolean;
  parenDepth: number;
  line: number;
  startLine: number;
  item: Item;
  isInsideAction: boolean;
}

export function next(l: ScanState): number {
  if (l.pos >= l.input.length) {
    l.isAtEnd = true;
    return endOfInput;
  }
  const first = l.input.charCodeAt(l.pos);
  if (first < 0x80) {
    l.pos++;
    if (first === 10) l.line++;
    return first;
  }
  const { rune, size } = decodeRune(l.input, l.pos);
  l.pos += size;
  return rune;
}

export function peek(l: ScanState): number {
  const rune = next(l);
  backup(l);
  return rune;
}

export function backup(l: ScanState): void {
  if (l.isAtEnd || l.pos === 0) return;
  const last = l.input.charCodeAt(l.pos - 1);
  l.pos -= last < 0x80 ? 1 : decodeLastRune(l.input, l.pos).size;
  if (last === 10) l.line--;
}

export function thisItem(l: ScanState, type: ItemType): Item {
  const item = { type, pos: l.start, value: l.input.slice(l.start, l.pos), line: l.startLine };
  l.start = l.pos;
  l.startLine = l.line;
  return item;
}

export function emit(l: ScanState, type: ItemType): null {
  l.item = thisItem(l, type);
  return null;
}

/** Skips text that was not read with `next`. */
export function ignore(l: ScanState): void {
  l.line += countLines(l.input, l.start, l.pos);
  l.start = l.pos;
  l.startLine = l.line;
}

export function countLines(text: string, start: number, end: number): number {
  // The part alone: a search in the whole text would go on to its end.
  const part = text.slice(start, end);
  let count = 0;
  for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) count++;
  return count;
}

export function fail(l: ScanState, message: string): null {
  l.item = { type: 'error', pos: l.start, value: message, line: l.startLine };
  l.start = 0;
  l.pos = 0;
  l.input = '';
  return null;
}

export function createScanState(input: string, left: string, right: string): ScanState {
  return {
    input,
    left,
    right,
    pos: 0,
    start: 0,
    isAtEnd: false,
    parenDepth: 0,
    line: 1,
    startLine: 1,
    item: { type: 'eof', pos: 0, value: 'EOF', line: 1 },
    isInsideAction: false,
  };
}
