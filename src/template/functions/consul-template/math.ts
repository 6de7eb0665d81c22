// Arithmetic of consul-template: `subtract 2 5` is 3, the second operand is the one that is piped in. Integers give
// int64 (two uints uint64), a float makes the result a float64.
import {
  type CallContext,
  callError,
  defineFunction,
  type ErrorPart,
  type FunctionTable,
  plain,
  shownAs,
} from '../../exec/function-table.ts';
import { sprintf } from '../../text/printf.ts';
import { isUnsigned, typeOfName } from '../../value/type.ts';
import { integer, integerOf, type Opened, typeName, typeOf } from '../../value/value.ts';

interface Operation {
  readonly name: string;
  integers(a: bigint, b: bigint): bigint;
  /** Absent where floats are refused. */
  floats?(a: number, b: number): number;
}

const int64 = typeOfName('int64');
const uint64 = typeOfName('uint64');

export const math: FunctionTable = {
  add: arithmetic({ name: 'add', integers: (a, b) => a + b, floats: (a, b) => a + b }),
  subtract: arithmetic({ name: 'subtract', integers: (a, b) => a - b, floats: (a, b) => a - b }),
  multiply: arithmetic({ name: 'multiply', integers: (a, b) => a * b, floats: (a, b) => a * b }),
  divide: arithmetic({
    name: 'divide',
    integers: (a, b) => a / notZero(b),
    floats: (a, b) => a / b,
  }),
  modulo: arithmetic({ name: 'modulo', integers: (a, b) => a % notZero(b) }),
  minimum: choice('minimum', (a, b) => a < b),
  maximum: choice('maximum', (a, b) => a > b),
};

function notZero(divisor: bigint): bigint {
  if (divisor === 0n) throw callError`runtime error: integer divide by zero`;
  return divisor;
}

type Numeric =
  | { readonly kind: 'int' | 'uint'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number };

function arithmetic(operation: Operation) {
  return defineFunction(['any', 'any'], 'any', (context, b, a) => {
    const allowsFloats = operation.floats !== undefined;
    const left = numeric(context, operation.name, a, allowsFloats);
    const right = numeric(context, operation.name, b, allowsFloats);
    if (left.kind === 'float' || right.kind === 'float') {
      return operation.floats?.(Number(left.value), Number(right.value)) ?? null;
    }
    if (left.kind === 'uint' && right.kind === 'uint') {
      return integer(uint64, operation.integers(left.value, right.value)) as Opened;
    }
    return integer(int64, operation.integers(signed(left.value), signed(right.value))) as Opened;
  });
}

/** The smaller or the larger; of its own kind, as a 64-bit number. */
function choice(name: string, isBetter: (a: number | bigint, b: number | bigint) => boolean) {
  return defineFunction(['any', 'any'], 'any', (context, b, a) => {
    const left = numeric(context, name, a, true);
    const right = numeric(context, name, b, true);
    return widened(isBetter(...comparable(left, right)) ? left : right);
  });
}

function comparable(a: Numeric, b: Numeric): [number | bigint, number | bigint] {
  if (a.kind === 'float' || b.kind === 'float') return [Number(a.value), Number(b.value)];
  return a.kind === 'uint' && b.kind === 'uint' ? [a.value, b.value] : [signed(a.value), signed(b.value)];
}

function signed(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function widened(value: Numeric): Opened {
  if (value.kind === 'float') return value.value;
  return integer(value.kind === 'uint' ? uint64 : int64, value.value) as Opened;
}

function numeric(context: CallContext, name: string, value: Opened, allowsFloats: boolean): Numeric {
  const whole = integerOf(value);
  if (whole !== null)
    return { kind: isUnsigned(typeOf(value)?.kind ?? 'int') ? 'uint' : 'int', value: whole };
  if (typeof value === 'number' && allowsFloats) return { kind: 'float', value };
  throw callError`${plain(name)}: unknown type for ${shownValue(context, value)} (${plain(typeName(value))})${hint(value)}`;
}

function shownValue(context: CallContext, value: Opened): ErrorPart {
  if (value === null) return plain('<invalid reflect.Value>');
  return shownAs(sprintf(context, '%v', [value]), sprintf(context, '%q', [value]));
}

/** A number of a secret is the mistake that everybody makes once. */
function hint(value: Opened): ErrorPart {
  return plain(
    typeName(value) === 'json.Number'
      ? '; a number of a secret becomes one to calculate with by .Int64 or .Float64, or by parseInt or parseFloat of its .String'
      : typeof value === 'string'
        ? '; parseInt or parseFloat makes a number of a string'
        : '',
  );
}
