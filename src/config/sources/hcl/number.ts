// Numbers as HCL 1 reads them: `0640` is octal, `0x1f` hexadecimal.
import { HclError, type HclLiteral } from './node.ts';

/** Throws an HclError when the digits are none of a number. */
export function numberOf({ type, text, position }: HclLiteral): number {
  const value = type === 'float' ? Number(text) : (integerOf(text) ?? Number.NaN);
  if (!Number.isFinite(value)) {
    const isOctal = /^-?0\d*[89]/.test(text);
    const why = isOctal ? 'is no octal number; write it in quotes' : 'is no number that can be used here';
    throw new HclError(position, `${text} ${why}`);
  }
  return value;
}

/** As Go's ParseInt with base 0; undefined when it is none. */
export function integerOf(text: string): number | undefined {
  const [, sign = '', prefix = '', digits = ''] =
    /^([+-]?)(0[xX]|0[bB]|0[oO]?(?=[0-9])|)([0-9a-fA-F]+)$/.exec(text) ?? [];
  const base = { '': 10, '0x': 16, '0b': 2 }[prefix.toLowerCase()] ?? 8;
  const allowed = { 2: /^[01]+$/, 8: /^[0-7]+$/, 10: /^\d+$/, 16: /^[0-9a-fA-F]+$/ }[base];
  if (allowed?.test(digits) !== true) return undefined;
  const value = Number.parseInt(digits, base);
  if (value > 2 ** 63) return undefined;
  return sign === '-' ? -value : value;
}
