// Go's strconv for numbers, reading: ParseInt, ParseUint, ParseFloat, with their errors.
import { type CallError, callError, plain, quoted } from '../exec/function-table.ts';

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const hexadecimal = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/;
const special = /^(?:([+-]?)(inf|infinity)|nan)$/i;
const prefixes: Readonly<Record<string, number>> = { x: 16, o: 8, b: 2 };
const digitsOf: Readonly<Record<number, RegExp>> = {
  2: /^[01]+$/,
  8: /^[0-7]+$/,
  10: /^[0-9]+$/,
  16: /^[0-9a-fA-F]+$/,
};

type NumberFault = 'invalid syntax' | 'value out of range';

/** The error of one of strconv's functions, about the text it was given. */
export function numberError(name: string, text: string, fault: string): CallError {
  return callError`strconv.${plain(name)}: parsing ${quoted(text)}: ${plain(fault)}`;
}

/** As strconv.ParseInt. Base 0 takes the base from a prefix and allows `_`. */
export function parseInteger(text: string, base: number, bits: number): bigint {
  const parsed = readInteger(text, base, bits);
  if (typeof parsed === 'string') throw numberError('ParseInt', text, parsed);
  return parsed;
}

/** As strconv.ParseUint. */
export function parseUnsigned(text: string, base: number, bits: number): bigint {
  const parsed = readUnsigned(text, base, bits);
  if (typeof parsed === 'string') throw numberError('ParseUint', text, parsed);
  return parsed;
}

/** As strconv.ParseFloat with 64 bits. */
export function parseFloat64(text: string): number {
  const parsed = readFloat(text);
  if (typeof parsed === 'string') throw numberError('ParseFloat', text, parsed);
  return parsed;
}

/** The integer, or what is wrong with the text. */
export function readInteger(text: string, base: number, bits: number): bigint | NumberFault {
  const isNegative = text.startsWith('-');
  const unsigned = readUnsigned(isNegative || text.startsWith('+') ? text.slice(1) : text, base, bits);
  if (typeof unsigned === 'string') return unsigned;
  const limit = 1n << BigInt(bits - 1);
  if (isNegative ? unsigned > limit : unsigned >= limit) return 'value out of range';
  return isNegative ? -unsigned : unsigned;
}

/** The unsigned integer, or what is wrong with the text. */
export function readUnsigned(text: string, base: number, bits: number): bigint | NumberFault {
  let digits = text;
  let radix = base;
  if (base === 0) {
    const prefix = /^0([xob])?/i.exec(text);
    radix = prefix === null || text.length === 1 ? 10 : (prefixes[prefix[1]?.toLowerCase() ?? 'o'] ?? 8);
    digits = prefix?.[1] === undefined ? text : text.slice(2);
    if (digits.includes('_')) {
      if (!hasGoodUnderscores(text)) return 'invalid syntax';
      digits = digits.replaceAll('_', '');
    }
  }
  if (digitsOf[radix]?.test(digits) !== true) return 'invalid syntax';
  const value = toBigInt(digits, radix);
  return value >> BigInt(bits) === 0n ? value : 'value out of range';
}

/** Never reads more digits than can matter, so that a megabyte of them costs nothing. */
function toBigInt(digits: string, radix: number): bigint {
  const significant = digits.replace(/^0+/, '');
  if (significant.length > 64) return 1n << 64n;
  const prefix = { 2: '0b', 8: '0o', 16: '0x' }[radix] ?? '';
  return BigInt(`${prefix}${significant || '0'}`);
}

/** `_` may only stand between digits, or between a base's prefix and a digit. */
function hasGoodUnderscores(text: string): boolean {
  const unsigned = text.replace(/^[+-]/, '');
  const prefix = /^0[xob]/i.exec(unsigned)?.[0];
  const body = prefix === undefined ? unsigned : `0${unsigned.slice(prefix.length)}`;
  const digit = prefix?.toLowerCase() === '0x' ? '0-9a-fA-F' : '0-9';
  return !new RegExp(`(?:^|[^${digit}])_|_(?:$|[^${digit}])`).test(body);
}

/** The float, or what is wrong with the text. */
export function readFloat(text: string): number | NumberFault {
  const named = special.exec(text);
  if (named !== null) {
    if (named[2] === undefined) return Number.NaN;
    return named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (text.includes('_') && !hasGoodUnderscores(text)) return 'invalid syntax';
  const digits = text.replaceAll('_', '');
  const value = decimal.test(digits) ? Number(digits) : readHexFloat(digits);
  if (value === null) return 'invalid syntax';
  return Number.isFinite(value) ? value : 'value out of range';
}

function readHexFloat(text: string): number | null {
  const match = hexadecimal.exec(text);
  if (match === null || `${match[2]}${match[3]}` === '') return null;
  const fraction = match[3] ?? '';
  const mantissa = BigInt(`0x0${match[2]}${fraction}`);
  const exponent = Number(match[4]) - 4 * fraction.length;
  const magnitude = roundToFloat(mantissa, Math.max(-1e6, Math.min(1e6, exponent)));
  return match[1] === '-' ? -magnitude : magnitude;
}

/** mantissa × 2^exponent, rounded to the nearest float64, ties to even. */
function roundToFloat(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const top = mantissa.toString(2).length - 1 + exponent;
  if (top > 1024) return Number.POSITIVE_INFINITY;
  const unit = Math.max(top - 52, -1074);
  const shift = unit - exponent;
  if (shift <= 0) return Number(mantissa << BigInt(-shift)) * 2 ** unit;
  if (shift > mantissa.toString(2).length + 1) return 0;
  const kept = mantissa >> BigInt(shift);
  const rest = mantissa & ((1n << BigInt(shift)) - 1n);
  const half = 1n << BigInt(shift - 1);
  const rounded = rest > half || (rest === half && (kept & 1n) === 1n) ? kept + 1n : kept;
  return Number(rounded) * 2 ** unit;
}
