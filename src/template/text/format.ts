// Go's fmt, one level above strconv: flags, width and precision around numbers, strings and characters.
// Which verb a value takes is print.ts's matter.

import { type CallContext, callError, plain } from '../exec/function-table.ts';
import { decodeRune, encodeRune, isValidRune, runeCount } from './bytes.ts';
import { type FloatVerb, formatFloat } from './float-format.ts';
import { canBackquote, quoteRune, quoteString } from './quote.ts';
import { isPrint } from './unicode.ts';

/** A print under way: what it has given, and the flags of the verb that it is at. */
export interface FormatState {
  readonly context: CallContext;
  out: string;
  /** Nothing of a bad verb's value calls its methods. */
  isErroring: boolean;
  width: number | null;
  precision: number | null;
  sharp: boolean;
  zero: boolean;
  plus: boolean;
  minus: boolean;
  space: boolean;
  /** `%#v` and `%+v`. */
  sharpV: boolean;
  plusV: boolean;
}

export function createFormatState(context: CallContext): FormatState {
  const flags = {
    sharp: false,
    zero: false,
    plus: false,
    minus: false,
    space: false,
    sharpV: false,
    plusV: false,
  };
  return { context, out: '', isErroring: false, width: null, precision: null, ...flags };
}

export function clearFlags(state: FormatState): void {
  state.width = null;
  state.precision = null;
  state.sharp = state.zero = state.plus = state.minus = state.space = state.sharpV = state.plusV = false;
}

/** Appends; refuses to grow beyond the limit of one string. */
export function write(state: FormatState, text: string): void {
  const { stringBytes } = state.context.limits;
  if (state.out.length + text.length > stringBytes) {
    throw callError`text is longer than ${plain(stringBytes)} bytes, the limit of one string`;
  }
  state.out += text;
}

/** Appends the text, padded to the width. */
export function pad(state: FormatState, text: string): void {
  const missing = state.width === null ? 0 : state.width - runeCount(text);
  if (missing <= 0) write(state, text);
  else write(state, state.minus ? text + padding(state, missing) : padding(state, missing) + text);
}

function padding(state: FormatState, count: number): string {
  return (state.zero && !state.minus ? '0' : ' ').repeat(Math.max(0, count));
}

function padWithSpaces(state: FormatState, text: string): void {
  const { zero } = state;
  state.zero = false;
  pad(state, text);
  state.zero = zero;
}

export function formatString(state: FormatState, text: string): void {
  pad(state, truncated(state, text));
}

export function formatQuoted(state: FormatState, text: string): void {
  const kept = truncated(state, text);
  pad(state, state.sharp && canBackquote(kept) ? `\`${kept}\`` : quoteString(kept, state.plus));
}

/** The precision of a string counts runes. */
function truncated(state: FormatState, text: string): string {
  if (state.precision === null || state.precision >= text.length) return text;
  let end = 0;
  for (let left = state.precision; left > 0 && end < text.length; left--) end += decodeRune(text, end).size;
  return text.slice(0, end);
}

/** %x of a string: two digits a byte; `space` separates bytes, `sharp` puts 0x in front. */
export function formatHexString(state: FormatState, text: string, isUpper: boolean): void {
  const bytes = text.slice(0, state.precision ?? text.length);
  if (bytes === '') {
    if (state.width !== null) write(state, padding(state, state.width));
    return;
  }
  const prefix = state.sharp ? (isUpper ? '0X' : '0x') : '';
  const hex = Buffer.from(bytes, 'latin1').toString('hex');
  const digits = isUpper ? hex.toUpperCase() : hex;
  const encoded = state.space
    ? (digits.match(/../g) ?? []).map((pair) => prefix + pair).join(' ')
    : prefix + digits;
  const missing = (state.width ?? 0) - encoded.length;
  write(state, state.minus ? encoded + padding(state, missing) : padding(state, missing) + encoded);
}

/** An integer in base 2, 8, 10 or 16. */
export function formatInteger(
  state: FormatState,
  value: bigint,
  base: 2 | 8 | 10 | 16,
  verb: string,
  isUpper = false,
): void {
  const isNegative = value < 0n;
  const { precision, width } = state;
  if (precision === 0 && value === 0n) {
    write(state, ' '.repeat(width ?? 0));
    return;
  }
  let least = precision ?? 0;
  if (precision === null && state.zero && !state.minus && width !== null) {
    least = isNegative || state.plus || state.space ? width - 1 : width;
  }
  let digits = (isNegative ? -value : value).toString(base).padStart(least, '0');
  if (isUpper) digits = digits.toUpperCase();
  if (state.sharp) digits = sharpPrefix(base, digits, isUpper) + digits;
  if (verb === 'O') digits = `0o${digits}`;
  const sign = isNegative ? '-' : state.plus ? '+' : state.space ? ' ' : '';
  padWithSpaces(state, sign + digits);
}

function sharpPrefix(base: number, digits: string, isUpper: boolean): string {
  if (base === 2) return '0b';
  if (base === 8) return digits.startsWith('0') ? '' : '0';
  return base === 16 ? (isUpper ? '0X' : '0x') : '';
}

/** %c */
export function formatCharacter(state: FormatState, value: bigint): void {
  pad(state, encodeRune(toRune(value)));
}

/** %q of an integer. */
export function formatQuotedCharacter(state: FormatState, value: bigint): void {
  pad(state, quoteRune(toRune(value), state.plus));
}

function toRune(value: bigint): number {
  return value < 0n || value > 0x10ffffn ? 0xfffd : Number(value);
}

/** %U */
export function formatUnicode(state: FormatState, value: bigint): void {
  const code = BigInt.asUintN(64, value);
  let text = `U+${code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, state.precision ?? 0), '0')}`;
  if (state.sharp && code <= 0x10ffffn && isValidRune(Number(code)) && isPrint(Number(code))) {
    text += ` '${encodeRune(Number(code))}'`;
  }
  padWithSpaces(state, text);
}

/** A float with its sign, padding and, for `#`, its decimal point and trailing zeros. */
export function formatFloatVerb(
  state: FormatState,
  value: number,
  verb: FloatVerb,
  defaultPrecision: number,
): void {
  const precision = state.precision ?? defaultPrecision;
  const raw = formatFloat(value, verb, precision);
  let sign = /^[+-]/.test(raw) ? raw.slice(0, 1) : '+';
  let digits = raw.replace(/^[+-]/, '');
  if (state.space && sign === '+' && !state.plus) sign = ' ';
  if (digits === 'Inf' || digits === 'NaN') {
    const isSigned = digits === 'Inf' || state.space || state.plus;
    padWithSpaces(state, isSigned ? sign + digits : digits);
    return;
  }
  if (state.sharp && verb !== 'b') digits = withPoint(digits, verb, precision);
  if (!state.plus && sign === '+') {
    pad(state, digits);
  } else if (state.zero && !state.minus && state.width !== null && state.width > digits.length + 1) {
    write(state, sign + padding(state, state.width - digits.length - 1) + digits);
  } else {
    pad(state, sign + digits);
  }
}

/** `#`: always a decimal point, and for %g the trailing zeros that it leaves out else. */
function withPoint(text: string, verb: FloatVerb, precision: number): string {
  const isHex = verb === 'x' || verb === 'X';
  const tailAt = text.search(isHex ? /[pP]/ : /[eE]/);
  const head = tailAt < 0 ? text : text.slice(0, tailAt);
  const tail = tailAt < 0 ? '' : text.slice(tailAt);
  const isPadded = verb === 'g' || verb === 'G' || verb === 'x';
  let missing = isPadded ? (precision === -1 ? 6 : precision) : 0;
  const firstDigit = head.search(/[^0.]/);
  if (firstDigit >= 0) missing -= head.slice(firstDigit).replace('.', '').length;
  if (!head.includes('.') && head === '0') missing--;
  return `${head}${head.includes('.') ? '' : '.'}${'0'.repeat(Math.max(0, missing))}${tail}`;
}
