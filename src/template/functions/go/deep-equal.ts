// reflect.DeepEqual: same type, same content; 1 and 1.0 differ, and so do nil and empty.
import { JsonNumber } from '../../../base/text/json.ts';
import { type CallContext, callError } from '../../exec/function-table.ts';
import {
  ComplexValue,
  IntegerValue,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  typeOf,
} from '../../value/value.ts';

export function deepEqual(context: CallContext, a: Opened, b: Opened, depth = 0): boolean {
  context.spend(1);
  if (depth > context.limits.valueDepth) throw callError`values are nested too deeply to be compared`;
  if (a === null || b === null) return a === b;
  if (typeOf(a) !== typeOf(b)) return false;
  if (a instanceof SliceValue && b instanceof SliceValue) return equalSlices(context, a, b, depth);
  if (a instanceof MapValue && b instanceof MapValue) return equalMaps(context, a, b, depth);
  if (a instanceof PointerValue && b instanceof PointerValue) {
    return a.target === b.target || deepEqual(context, a.target, b.target, depth + 1);
  }
  if (a instanceof StructValue && b instanceof StructValue) {
    if (a.hidden !== undefined || b.hidden !== undefined)
      return JSON.stringify(a.hidden) === JSON.stringify(b.hidden);
    return a.values.every((value, at) => same(context, value, b.values[at] ?? null, depth));
  }
  if (a instanceof IntegerValue && b instanceof IntegerValue) return a.value === b.value;
  if (a instanceof ComplexValue && b instanceof ComplexValue)
    return a.real === b.real && a.imaginary === b.imaginary;
  return a instanceof JsonNumber && b instanceof JsonNumber ? a.text === b.text : a === b;
}

function same(
  context: CallContext,
  a: Parameters<typeof openInterface>[0],
  b: Parameters<typeof openInterface>[0],
  depth: number,
): boolean {
  return deepEqual(context, openInterface(a), openInterface(b), depth + 1);
}

function equalSlices(context: CallContext, a: SliceValue, b: SliceValue, depth: number): boolean {
  if (a === b) return true;
  if (a.isNil !== b.isNil || a.items.length !== b.items.length) return false;
  return a.items.every((item, at) => same(context, item, b.items[at] ?? null, depth));
}

function equalMaps(context: CallContext, a: MapValue, b: MapValue, depth: number): boolean {
  if (a === b) return true;
  if (a.isNil !== b.isNil || a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    if (!b.has(key) || !same(context, value, b.get(key) ?? null, depth)) return false;
  }
  return true;
}
