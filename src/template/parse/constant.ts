// Number constants: every type that the constant can be, as Go's ideal constants. `1e3` is an int too, `'a'` a float.
import { readFloat, readInteger, readUnsigned } from '../text/number.ts';
import { quoteString, unquoteChar } from '../text/quote.ts';
import { ComplexValue } from '../value/value.ts';

/** Null where the constant cannot be of that type. */
export interface NumberConstant {
  readonly int: bigint | null;
  readonly uint: bigint | null;
  readonly float: number | null;
  readonly complex: ComplexValue | null;
}

const complexParts =
  /^([+-]?(?:0[xX][\da-fA-F_.]*(?:[pP][+-]?[\d_]*)?|[\d_.]*(?:[eE][+-]?[\d_]*)?))([+-].*)i$/;

/** The constant, or what Go says is wrong with it. */
export function readConstant(
  text: string,
  type: 'charConstant' | 'complex' | 'number',
): NumberConstant | { readonly fault: string } {
  if (type === 'charConstant') return readCharacter(text);
  if (type === 'complex') return readComplex(text);
  const imaginary = text.endsWith('i') ? readFloat(text.slice(0, -1)) : '';
  return typeof imaginary === 'number' ? fromComplex(0, imaginary) : readReal(text);
}

function readCharacter(text: string): NumberConstant | { fault: string } {
  const char = unquoteChar(text, 1, "'");
  if (char === null) return { fault: 'invalid syntax' };
  if (text.slice(1 + char.size) !== "'") return { fault: `malformed character constant: ${text}` };
  const int = BigInt(char.rune);
  return { int, uint: int, float: char.rune, complex: null };
}

function readComplex(text: string): NumberConstant | { fault: string } {
  const parts = complexParts.exec(text);
  const real = readFloat(parts?.[1] ?? '');
  const imaginary = readFloat(parts?.[2] ?? '');
  if (typeof real === 'string')
    return { fault: `strconv.ParseFloat: parsing ${quoteString(parts?.[1] ?? text)}: ${real}` };
  if (typeof imaginary === 'string') {
    return { fault: `strconv.ParseFloat: parsing ${quoteString(parts?.[2] ?? text)}: ${imaginary}` };
  }
  return fromComplex(real, imaginary);
}

function fromComplex(real: number, imaginary: number): NumberConstant {
  const complex = new ComplexValue(real, imaginary);
  if (imaginary !== 0) return { int: null, uint: null, float: null, complex };
  return { int: wholeInt(real), uint: wholeUint(real), float: real, complex };
}

/** Most constants: decimal, and exact as a float. */
const smallInteger = /^(?:0|[1-9]\d{0,14})$/;

function readReal(text: string): NumberConstant | { fault: string } {
  if (smallInteger.test(text))
    return { int: BigInt(text), uint: BigInt(text), float: Number(text), complex: null };
  const unsigned = readUnsigned(text, 0, 64);
  const signed = readInteger(text, 0, 64);
  const int = typeof signed === 'bigint' ? signed : null;
  const uint = typeof unsigned === 'bigint' ? unsigned : int === 0n ? 0n : null;
  if (int !== null) return { int, uint, float: Number(int), complex: null };
  if (uint !== null) return { int, uint, float: Number(uint), complex: null };
  const float = readFloat(text);
  if (typeof float === 'string') return { fault: `illegal number syntax: ${quoteString(text)}` };
  if (!/[.eEpP]/.test(text)) return { fault: `integer overflow: ${quoteString(text)}` };
  return { int: wholeInt(float), uint: wholeUint(float), float, complex: null };
}

function wholeInt(float: number): bigint | null {
  return Number.isInteger(float) && float >= -(2 ** 63) && float < 2 ** 63 ? BigInt(float) : null;
}

function wholeUint(float: number): bigint | null {
  return Number.isInteger(float) && float >= 0 && float < 2 ** 64 ? BigInt(float) : null;
}
