// Go's comparison builtins: eq ne lt le gt ge. Signed and unsigned integers compare, an int and a float do not; a
// number of a secret is a string.
import { JsonNumber } from '../../base/text/json.ts';
import { sprintf } from '../text/printf.ts';
import { isSigned, isUnsigned } from '../value/type.ts';
import {
  ComplexValue,
  InterfaceValue,
  integerOf,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
  typeOf,
  type Value,
} from '../value/value.ts';
import { type CallContext, type CallError, callError, plain } from './function-table.ts';

type BasicKind = 'bool' | 'complex' | 'int' | 'float' | 'string' | 'uint';

function basicKind(value: Opened): BasicKind | null {
  const kind = typeOf(value)?.kind;
  if (kind === undefined) return null;
  if (isSigned(kind)) return 'int';
  if (isUnsigned(kind)) return 'uint';
  if (kind === 'bool' || kind === 'string') return kind;
  return kind === 'float64' ? 'float' : kind === 'complex128' ? 'complex' : null;
}

/** Whether the first equals any of the others. */
export function isEqualToAny(context: CallContext, first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw callError`missing argument for comparison`;
  const left = openInterface(first);
  return others.some((other) => {
    context.spend(1);
    return isEqual(context, left, openInterface(other));
  });
}

function isEqual(context: CallContext, left: Opened, right: Opened): boolean {
  const leftKind = basicKind(left);
  const rightKind = basicKind(right);
  if (leftKind === rightKind) {
    return leftKind === null ? isEqualReference(context, left, right) : isEqualBasic(left, right);
  }
  if (areIntegers(leftKind, rightKind)) return integerOf(left) === integerOf(right);
  if (left !== null && right !== null) throw incompatible(left, right);
  return false;
}

function incompatible(left: Opened, right: Opened): CallError {
  const isOfSecret = left instanceof JsonNumber || right instanceof JsonNumber;
  const hint = isOfSecret ? '; a number of a secret is a string: compare it with one, or its .Int64' : '';
  return callError`incompatible types for comparison${plain(hint)}`;
}

function areIntegers(left: BasicKind | null, right: BasicKind | null): boolean {
  return (left === 'int' && right === 'uint') || (left === 'uint' && right === 'int');
}

function isEqualBasic(left: Opened, right: Opened): boolean {
  if (left instanceof ComplexValue && right instanceof ComplexValue) {
    return left.real === right.real && left.imaginary === right.imaginary;
  }
  return comparable(left) === comparable(right);
}

function comparable(value: Opened): string | number | bigint | boolean {
  if (typeof value === 'boolean' || typeof value === 'number') return value;
  return integerOf(value) ?? stringOf(value) ?? '';
}

/** Maps, slices, pointers, structs and nils. */
function isEqualReference(context: CallContext, left: Opened, right: Opened): boolean {
  const leftKind = typeOf(left)?.kind;
  const rightKind = typeOf(right)?.kind;
  if (leftKind !== rightKind && left !== null && right !== null) {
    const shown = sprintf(context, '%s', [left]);
    const types = [plain(typeName(left)), plain(typeName(right))] as const;
    throw callError`non-comparable types ${shown}: ${types[0]}, ${types[1]}: ${sprintf(context, '%v', [right])}`;
  }
  if (isNil(left) || isNil(right)) return isNil(left) && isNil(right);
  if (right instanceof MapValue || right instanceof SliceValue || right instanceof StructValue) {
    throw callError`non-comparable type ${sprintf(context, '%s', [right])}: ${plain(typeName(right))}`;
  }
  if (left instanceof PointerValue && right instanceof PointerValue) return left.target === right.target;
  return left === right;
}

function isNil(value: Value): boolean {
  if (value === null) return true;
  if (value instanceof InterfaceValue) return value.value === null;
  if (value instanceof MapValue || value instanceof SliceValue) return value.isNil;
  return value instanceof PointerValue && value.target === null;
}

/** Whether the first is less than the second, for kinds that have an order. */
export function isLess(first: Value, second: Value): boolean {
  const left = openInterface(first);
  const right = openInterface(second);
  const leftKind = basicKind(left);
  const rightKind = basicKind(right);
  if (leftKind === null || rightKind === null) throw callError`invalid type for comparison`;
  if (leftKind !== rightKind && !areIntegers(leftKind, rightKind)) throw incompatible(left, right);
  if (leftKind === 'bool' || leftKind === 'complex') throw callError`invalid type for comparison`;
  return comparable(left) < comparable(right);
}
