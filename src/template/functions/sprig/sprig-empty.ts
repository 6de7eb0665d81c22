// What sprig takes for empty: zero, false, nil, and what has no items. Structs never are.
import {
  ChannelValue,
  ComplexValue,
  integerOf,
  MapValue,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  type Value,
} from '../../value/value.ts';

export function isEmpty(value: Value): boolean {
  const opened = openInterface(value);
  if (opened === null || opened === false || opened === 0) return true;
  if (opened instanceof StructValue || opened instanceof ChannelValue) return false;
  if (opened instanceof SliceValue) return opened.items.length === 0;
  if (opened instanceof MapValue) return opened.size === 0;
  if (opened instanceof PointerValue) return opened.target === null;
  if (opened instanceof ComplexValue) return opened.real === 0 && opened.imaginary === 0;
  const whole = integerOf(opened);
  return whole !== null ? whole === 0n : stringOf(opened) === '';
}
