// sprig's arithmetic, first operand first: integers by int64, the `f` forms by decimals.
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
} from '../../exec/function-table.ts';
import { readInteger } from '../../text/number.ts';
import { sprint } from '../../text/print.ts';
import { typeOfName } from '../../value/type.ts';
import { type Opened, SliceValue, type Value } from '../../value/value.ts';
import {
  addDecimals,
  type Decimal,
  decimalOf,
  divideDecimals,
  multiplyDecimals,
  subtractDecimals,
  toFloat,
} from '../go/decimal.ts';
import { toFloat64, toInt64 } from './sprig-cast.ts';

const intSlice = typeOfName('[]int');
const largestInt = (1n << 63n) - 1n;
const max = defineFunction(['any', '...any'], 'int64', (_context, first, ...rest) =>
  extreme([first, ...rest], (a, b) => a > b),
);

export const sprigMath: FunctionTable = {
  sprig_int: defineFunction(['any'], 'int', (_context, value) => toInt64(value)),
  sprig_int64: defineFunction(['any'], 'int64', (_context, value) => toInt64(value)),
  sprig_float64: defineFunction(['any'], 'float64', (_context, value) => toFloat64(value)),
  sprig_atoi: defineFunction(['string'], 'int', (_context, text) => {
    const parsed = readInteger(text, 10, 64);
    if (typeof parsed === 'bigint') return parsed;
    if (parsed === 'invalid syntax') return 0n;
    return text.startsWith('-') ? -largestInt - 1n : largestInt;
  }),
  /** Reads the number as octal, as file modes are. */
  sprig_toDecimal: defineFunction(['any'], 'int64', (context, value) => {
    const parsed = readInteger(sprint(context, [value]), 8, 64);
    return typeof parsed === 'bigint' ? parsed : 0n;
  }),
  sprig_add: defineFunction(['...any'], 'int64', (_context, ...values) =>
    wrapped(values.reduce((sum: bigint, value) => sum + toInt64(value), 0n)),
  ),
  sprig_add1: defineFunction(['any'], 'int64', (_context, value) => wrapped(toInt64(value) + 1n)),
  sprig_sub: defineFunction(['any', 'any'], 'int64', (_context, a, b) => wrapped(toInt64(a) - toInt64(b))),
  sprig_mul: defineFunction(['any', '...any'], 'int64', (_context, first, ...rest) =>
    rest.reduce((product: bigint, value) => wrapped(product * toInt64(value)), toInt64(first)),
  ),
  sprig_div: defineFunction(['any', 'any'], 'int64', (_context, a, b) => wrapped(toInt64(a) / divisor(b))),
  sprig_mod: defineFunction(['any', 'any'], 'int64', (_context, a, b) => toInt64(a) % divisor(b)),
  sprig_add1f: defineFunction(['any'], 'float64', (_context, value) =>
    toFloat(addDecimals(decimalOf(toFloat64(value)), decimalOf(1))),
  ),
  sprig_addf: defineFunction(['...any'], 'float64', (_context, ...values) => fold(0n, values, addDecimals)),
  sprig_subf: defineFunction(['any', '...any'], 'float64', (_context, first, ...rest) =>
    fold(first, rest, subtractDecimals),
  ),
  sprig_mulf: defineFunction(['any', '...any'], 'float64', (context, first, ...rest) => {
    context.spend(rest.length * rest.length);
    return fold(first, rest, multiplyDecimals);
  }),
  sprig_divf: defineFunction(['any', '...any'], 'float64', (_context, first, ...rest) =>
    fold(first, rest, divideDecimals),
  ),
  sprig_max: max,
  sprig_biggest: max,
  sprig_min: defineFunction(['any', '...any'], 'int64', (_context, first, ...rest) =>
    extreme([first, ...rest], (a, b) => a < b),
  ),
  sprig_maxf: defineFunction(['any', '...any'], 'float64', (_context, first, ...rest) =>
    rest.map((value) => toFloat64(value)).reduce((a, b) => Math.max(a, b), toFloat64(first)),
  ),
  sprig_minf: defineFunction(['any', '...any'], 'float64', (_context, first, ...rest) =>
    rest.map((value) => toFloat64(value)).reduce((a, b) => Math.min(a, b), toFloat64(first)),
  ),
  sprig_floor: defineFunction(['any'], 'float64', (_context, value) => Math.floor(toFloat64(value))),
  sprig_ceil: defineFunction(['any'], 'float64', (_context, value) => Math.ceil(toFloat64(value))),
  sprig_round: defineFunction(
    ['any', 'int', '...float64'],
    'float64',
    (_context, value, places, roundOn = 0.5) => round(toFloat64(value), Number(places), roundOn),
  ),
  sprig_until: defineFunction(['int'], '[]int', (context, count) =>
    ints(untilStep(context, 0n, count, count < 0n ? -1n : 1n)),
  ),
  sprig_untilStep: defineFunction(['int', 'int', 'int'], '[]int', (context, start, stop, step) =>
    ints(untilStep(context, start, stop, step)),
  ),
  sprig_seq: defineFunction(['...int'], 'string', (context, ...bounds) =>
    sequence(context, bounds).join(' '),
  ),
};

function extreme(values: readonly Opened[], isBetter: (a: bigint, b: bigint) => boolean): bigint {
  const [first = 0n, ...rest] = values.map((value) => toInt64(value));
  let best = first;
  for (const value of rest) if (isBetter(value, best)) best = value;
  return best;
}

function wrapped(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function divisor(value: Value): bigint {
  const by = toInt64(value);
  if (by === 0n) throw callError`runtime error: integer divide by zero`;
  return by;
}

function fold(
  first: Opened,
  rest: readonly Opened[],
  operation: (a: Decimal, b: Decimal) => Decimal,
): number {
  return toFloat(
    rest.reduce(
      (result: Decimal, value) => operation(result, decimalOf(toFloat64(value))),
      decimalOf(toFloat64(first)),
    ),
  );
}

/** Up from `roundOn` behind the wanted place, down below it; negative numbers thus go down. */
function round(value: number, places: number, roundOn: number): number {
  const power = 10 ** places;
  const digits = power * value;
  const fraction = digits - Math.trunc(digits);
  return (fraction >= roundOn ? Math.ceil(digits) : Math.floor(digits)) / power;
}

function ints(values: readonly bigint[]): SliceValue {
  return new SliceValue(intSlice, values);
}

function untilStep(context: CallContext, start: bigint, stop: bigint, step: bigint): bigint[] {
  const isDown = stop < start;
  if (isDown ? step >= 0n : step <= 0n) return [];
  const values: bigint[] = [];
  for (let i = start; isDown ? i > stop : i < stop; i += step) {
    context.spend(1);
    values.push(i);
  }
  return values;
}

/** As the Unix command: last; first and last; first, step and last. */
function sequence(context: CallContext, bounds: readonly bigint[]): bigint[] {
  const [first = 0n, second = 0n, third = 0n] = bounds;
  if (bounds.length === 1) return upTo(context, 1n, first, first < 1n ? -1n : 1n);
  if (bounds.length === 2) return upTo(context, first, second, second < first ? -1n : 1n);
  if (bounds.length !== 3) return [];
  const isDown = third < first;
  if (isDown && second > 0n) return [];
  return untilStep(context, first, third + (isDown ? -1n : 1n), second);
}

function upTo(context: CallContext, start: bigint, end: bigint, step: bigint): bigint[] {
  return untilStep(context, start, end + step, step);
}
