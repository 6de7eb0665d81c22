// Go's strconv.FormatFloat for float64: verbs e E f g G x X b, shortest or with a precision, rounded half to even on
// the exact decimal value. JavaScript's own toFixed rounds half up and stops at 100 digits.

/** Significant digits d1 d2 … of 0.d1d2… × 10^point; no digits for zero. No trailing zeros. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

export type FloatVerb = 'e' | 'E' | 'f' | 'g' | 'G' | 'x' | 'X' | 'b';

/** The value as Go writes it; precision -1 is the fewest digits that read back as the same number. */
export function formatFloat(value: number, verb: FloatVerb, precision: number): string {
  if (Number.isNaN(value)) return 'NaN';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const magnitude = Math.abs(value);
  if (magnitude === Number.POSITIVE_INFINITY) return sign === '' ? '+Inf' : '-Inf';
  return sign + formatMagnitude(magnitude, verb, precision);
}

function formatMagnitude(value: number, verb: FloatVerb, precision: number): string {
  switch (verb) {
    case 'b':
      return formatBinary(value);
    case 'x':
      return formatHex(value, precision);
    case 'X':
      return formatHex(value, precision).toUpperCase();
    case 'f': {
      const decimal = precision < 0 ? shortestDecimal(value) : roundAt(exactDecimal(value), precision, true);
      return fixedForm(
        decimal,
        precision < 0 ? Math.max(decimal.digits.length - decimal.point, 0) : precision,
      );
    }
    case 'e':
    case 'E': {
      const decimal =
        precision < 0 ? shortestDecimal(value) : roundAt(exactDecimal(value), precision + 1, false);
      return exponentForm(decimal, precision < 0 ? Math.max(decimal.digits.length - 1, 0) : precision, verb);
    }
    default:
      return generalForm(value, precision, verb === 'g' ? 'e' : 'E');
  }
}

/** %g: %e for exponents below -4 or not below the precision (6 for the shortest), else %f; no trailing zeros. */
function generalForm(value: number, wanted: number, exponentVerb: 'e' | 'E'): string {
  const isShortest = wanted < 0;
  const significant = wanted === 0 ? 1 : wanted;
  const decimal = isShortest ? shortestDecimal(value) : roundAt(exactDecimal(value), significant, false);
  const count = decimal.digits.length;
  const precision = isShortest ? count : significant;
  const isWhole = precision > count && count >= decimal.point;
  const threshold = isShortest ? 6 : isWhole ? count : precision;
  const exponent = decimal.point - 1;
  if (exponent < -4 || exponent >= threshold) {
    return exponentForm(decimal, Math.min(precision, count) - 1, exponentVerb);
  }
  return fixedForm(decimal, Math.max((precision > decimal.point ? count : precision) - decimal.point, 0));
}

function shortestDecimal(value: number): Decimal {
  if (value === 0) return { digits: '', point: 0 };
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** Every float64 is a finite decimal: mantissa × 2^e, or mantissa × 5^-e / 10^-e. */
function exactDecimal(value: number): Decimal {
  if (value === 0) return { digits: '', point: 0 };
  const { mantissa, exponent } = binaryParts(value);
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const digits = scaled.toString();
  return trimmed(digits, digits.length + Math.min(exponent, 0));
}

function binaryParts(value: number): { mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

function trimmed(digits: string, point: number): Decimal {
  const kept = digits.replace(/0+$/, '');
  return kept === '' ? { digits: '', point: 0 } : { digits: kept, point };
}

/** Rounds half to even, after `count` significant digits or after `count` digits behind the point. */
function roundAt(decimal: Decimal, count: number, isBehindPoint: boolean): Decimal {
  const keep = isBehindPoint ? decimal.point + count : count;
  const { digits, point } = decimal;
  if (keep >= digits.length) return decimal;
  if (keep < 0) return { digits: '', point: 0 };
  const head = digits.slice(0, keep);
  const next = digits.charCodeAt(keep) - 48;
  const isHalf = next === 5 && keep + 1 === digits.length;
  const isOdd = keep > 0 && (digits.charCodeAt(keep - 1) - 48) % 2 === 1;
  if (next < 5 || (isHalf && !isOdd)) return trimmed(head, point);
  const raised = (BigInt(`0${head}`) + 1n).toString().padStart(keep, '0');
  return trimmed(raised, point + raised.length - keep);
}

function fixedForm({ digits, point }: Decimal, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (precision === 0) return whole;
  const behind = point > 0 ? digits.slice(point) : '0'.repeat(Math.min(-point, precision)) + digits;
  return `${whole}.${behind.slice(0, precision).padEnd(precision, '0')}`;
}

function exponentForm({ digits, point }: Decimal, precision: number, verb: string): string {
  const exponent = digits === '' ? 0 : point - 1;
  const first = digits[0] ?? '0';
  const rest = precision > 0 ? `.${digits.slice(1, precision + 1).padEnd(precision, '0')}` : '';
  const size = Math.abs(exponent).toString().padStart(2, '0');
  return `${first}${rest}${verb}${exponent < 0 ? '-' : '+'}${size}`;
}

/** %b: the mantissa as an integer and a power of two. */
function formatBinary(value: number): string {
  const { mantissa, exponent } = binaryParts(value);
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
}

/** %x: 0x1.yyyyyyyyp±dd. */
function formatHex(value: number, precision: number): string {
  let { mantissa, exponent } = binaryParts(value);
  if (mantissa === 0n) exponent = 0;
  else {
    exponent += 52;
    mantissa <<= 8n;
    while (mantissa >> 60n === 0n) {
      mantissa <<= 1n;
      exponent--;
    }
  }
  if (precision >= 0 && precision < 15) {
    const shift = BigInt(60 - 4 * precision);
    const rest = mantissa & ((1n << shift) - 1n);
    const half = 1n << (shift - 1n);
    let kept = mantissa >> shift;
    if (rest > half || (rest === half && (kept & 1n) === 1n)) kept++;
    mantissa = kept << shift;
    if (mantissa >> 61n !== 0n) {
      mantissa >>= 1n;
      exponent++;
    }
  }
  const all = (mantissa & ((1n << 60n) - 1n)).toString(16).padStart(15, '0');
  const fraction = precision < 0 ? all.replace(/0+$/, '') : all.padEnd(precision, '0').slice(0, precision);
  const size = Math.abs(exponent).toString().padStart(2, '0');
  return `0x${mantissa >> 60n}${fraction === '' ? '' : `.${fraction}`}p${exponent < 0 ? '-' : '+'}${size}`;
}
