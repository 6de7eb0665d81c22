// Decimal arithmetic as sprig's addf and its like do it (shopspring/decimal): exact but for division, which stops at 16
// digits behind the point, half away from zero.

import { callError, plain } from '../../exec/function-table.ts';
import { formatFloat } from '../../text/float-format.ts';

/** value × 10^exponent */
export interface Decimal {
  readonly value: bigint;
  readonly exponent: number;
}

const divisionDigits = 16;

/** From the fewest digits that read back as the same float. */
export function decimalOf(float: number): Decimal {
  if (!Number.isFinite(float)) {
    throw callError`Cannot create a Decimal from ${plain(formatFloat(float, 'g', -1))}`;
  }
  const [mantissa = '0', exponent = '0'] = float.toExponential().split('e');
  const fraction = mantissa.split('.')[1] ?? '';
  return { value: BigInt(mantissa.replace('.', '')), exponent: Number(exponent) - fraction.length };
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  return { value: scaled(a, exponent) + scaled(b, exponent), exponent };
}

export function subtractDecimals(a: Decimal, b: Decimal): Decimal {
  return addDecimals(a, { value: -b.value, exponent: b.exponent });
}

export function multiplyDecimals(a: Decimal, b: Decimal): Decimal {
  return { value: a.value * b.value, exponent: a.exponent + b.exponent };
}

export function divideDecimals(a: Decimal, b: Decimal): Decimal {
  if (b.value === 0n) throw callError`decimal division by 0`;
  const shift = a.exponent - b.exponent + divisionDigits;
  const numerator = shift >= 0 ? a.value * 10n ** BigInt(shift) : a.value;
  const denominator = shift >= 0 ? b.value : b.value * 10n ** BigInt(-shift);
  const isNegative = numerator < 0n !== denominator < 0n;
  const top = numerator < 0n ? -numerator : numerator;
  const bottom = denominator < 0n ? -denominator : denominator;
  const rounded = (2n * top + bottom) / (2n * bottom);
  return { value: isNegative ? -rounded : rounded, exponent: -divisionDigits };
}

function scaled(decimal: Decimal, exponent: number): bigint {
  return decimal.value * 10n ** BigInt(decimal.exponent - exponent);
}

/** The nearest float. */
export function toFloat(decimal: Decimal): number {
  return Number(`${decimal.value}e${decimal.exponent}`);
}
