// Go's fmt.Sprintf: the format string with its flags, widths, precisions and argument indexes.

import type { CallContext } from '../exec/function-table.ts';
import { integerOf, type Opened, openInterface, typeName, type Value } from '../value/value.ts';
import { decodeRune } from './bytes.ts';
import { clearFlags, createFormatState, type FormatState, write } from './format.ts';
import { encodeVerb, printArg } from './print.ts';

/** Widths, precisions and argument numbers beyond this count as malformed. */
const largestNumber = 1e6;

/** Where a format string has been read to, and which operand is next. */
interface Cursor {
  readonly format: string;
  readonly args: readonly Opened[];
  at: number;
  argument: number;
  /** The item just read was an index such as [3]. */
  isAfterIndex: boolean;
  isGoodIndex: boolean;
  /** An index was used somewhere: operands left over are not reported. */
  isReordered: boolean;
}

export function sprintf(context: CallContext, format: string, values: readonly Value[]): string {
  const state = createFormatState(context);
  const cursor: Cursor = {
    format,
    args: values.map(openInterface),
    at: 0,
    argument: 0,
    isAfterIndex: false,
    isGoodIndex: true,
    isReordered: false,
  };
  while (cursor.at < format.length) {
    const percent = format.indexOf('%', cursor.at);
    const end = percent < 0 ? format.length : percent;
    if (end > cursor.at) write(state, format.slice(cursor.at, end));
    if (percent < 0) break;
    cursor.at = percent + 1;
    context.spend(1);
    printVerb(state, cursor);
  }
  if (!cursor.isReordered) printExtra(state, cursor);
  return state.out;
}

function printVerb(state: FormatState, cursor: Cursor): void {
  const { format, args } = cursor;
  cursor.isGoodIndex = true;
  cursor.isAfterIndex = false;
  clearFlags(state);
  readFlags(state, cursor);
  readIndex(cursor);
  readWidth(state, cursor);
  readPrecision(state, cursor);
  if (!cursor.isAfterIndex) readIndex(cursor);
  if (cursor.at >= format.length) {
    write(state, '%!(NOVERB)');
    return;
  }
  const { rune, size } = decodeRune(format, cursor.at);
  const verb = String.fromCodePoint(rune);
  cursor.at += size;
  if (verb === '%') {
    write(state, '%');
    return;
  }
  if (!cursor.isGoodIndex) {
    write(state, `%!${encodeVerb(verb)}(BADINDEX)`);
    return;
  }
  const arg = args[cursor.argument];
  if (arg === undefined) {
    write(state, `%!${encodeVerb(verb)}(MISSING)`);
    return;
  }
  if (verb === 'v' || verb === 'w') moveVFlags(state);
  printArg(state, arg, verb);
  cursor.argument++;
}

function moveVFlags(state: FormatState): void {
  state.sharpV = state.sharp;
  state.sharp = false;
  state.plusV = state.plus;
  state.plus = false;
}

function readFlags(state: FormatState, cursor: Cursor): void {
  for (; cursor.at < cursor.format.length; cursor.at++) {
    switch (cursor.format[cursor.at]) {
      case '#':
        state.sharp = true;
        break;
      case '0':
        state.zero = true;
        break;
      case '+':
        state.plus = true;
        break;
      case '-':
        state.minus = true;
        break;
      case ' ':
        state.space = true;
        break;
      default:
        return;
    }
  }
}

function readWidth(state: FormatState, cursor: Cursor): void {
  if (cursor.format[cursor.at] === '*') {
    cursor.at++;
    const width = takeInteger(cursor);
    if (width === null) write(state, '%!(BADWIDTH)');
    else if (width < 0) {
      state.minus = true;
      state.zero = false;
    }
    state.width = width === null ? null : Math.abs(width);
    cursor.isAfterIndex = false;
    return;
  }
  state.width = readNumber(cursor);
  if (cursor.isAfterIndex && state.width !== null) cursor.isGoodIndex = false;
}

function readPrecision(state: FormatState, cursor: Cursor): void {
  if (cursor.at + 1 >= cursor.format.length || cursor.format[cursor.at] !== '.') return;
  cursor.at++;
  if (cursor.isAfterIndex) cursor.isGoodIndex = false;
  readIndex(cursor);
  if (cursor.format[cursor.at] === '*') {
    cursor.at++;
    const precision = takeInteger(cursor);
    state.precision = precision === null || precision < 0 ? null : precision;
    if (state.precision === null) write(state, '%!(BADPREC)');
    cursor.isAfterIndex = false;
  } else {
    state.precision = readNumber(cursor) ?? 0;
  }
}

/** Digits at the cursor; one that is too large counts as none, and the rest of the format is lost, as in Go. */
function readNumber(cursor: Cursor): number | null {
  const digits = /^\d*/.exec(cursor.format.slice(cursor.at, cursor.at + 16))?.[0] ?? '';
  let number = 0;
  for (let i = 0; i < digits.length; i++) {
    if (number > largestNumber) {
      cursor.at = cursor.format.length;
      return null;
    }
    number = number * 10 + Number(digits[i]);
  }
  cursor.at += digits.length;
  return digits === '' ? null : number;
}

/** A width or precision given as an operand by `*`. */
function takeInteger(cursor: Cursor): number | null {
  const arg = cursor.args[cursor.argument];
  if (arg === undefined) return null;
  cursor.argument++;
  const number = integerOf(arg);
  return number === null || number > largestNumber || number < -largestNumber ? null : Number(number);
}

/** `[n]`: the operand to take next. */
function readIndex(cursor: Cursor): void {
  cursor.isAfterIndex = false;
  if (cursor.format[cursor.at] !== '[') return;
  cursor.isReordered = true;
  const end = cursor.format.length - cursor.at < 3 ? -1 : cursor.format.indexOf(']', cursor.at + 1);
  if (end < 0) {
    cursor.at++;
    cursor.isGoodIndex = false;
    return;
  }
  const digits = cursor.format.slice(cursor.at + 1, end);
  const number = /^\d+$/.test(digits) && digits.length < 16 ? Number(digits) : Number.NaN;
  const isNumber = number <= largestNumber * 10 + 9;
  cursor.at = end + 1;
  cursor.isAfterIndex = isNumber;
  if (isNumber && number >= 1 && number <= cursor.args.length) cursor.argument = number - 1;
  else cursor.isGoodIndex = false;
}

function printExtra(state: FormatState, cursor: Cursor): void {
  const extra = cursor.args.slice(cursor.argument);
  if (extra.length === 0) return;
  clearFlags(state);
  write(state, '%!(EXTRA ');
  extra.forEach((arg, index) => {
    if (index > 0) write(state, ', ');
    write(state, arg === null ? '<nil>' : `${typeName(arg)}=`);
    if (arg !== null) printArg(state, arg, 'v');
  });
  write(state, ')');
}
