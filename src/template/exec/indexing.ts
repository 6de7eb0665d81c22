// Go's builtins over containers: index, slice, len.
import { JsonNumber } from '../../base/text/json.ts';
import { canBeNil, isInteger, type Type, typeOfName } from '../value/type.ts';
import {
  asStatic,
  ChannelValue,
  IntegerValue,
  InterfaceValue,
  indirect,
  integer,
  integerOf,
  MapValue,
  type Opened,
  openInterface,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
  typeOf,
  type Value,
  zeroOf,
} from '../value/value.ts';
import { callError, plain } from './function-table.ts';

const byteType = typeOfName('uint8');

/** `index x 1 2` is x[1][2]; the key that a map does not have gives the zero value. */
export function indexValue(first: Value, indexes: readonly Value[]): Value {
  if (openInterface(first) === null) throw callError`index of untyped nil`;
  let item: Value = openInterface(first);
  for (const index of indexes) {
    const target = indirect(item);
    if (target === null) throw callError`index of nil pointer`;
    item = indexOnce(target, openInterface(index));
  }
  return item;
}

function indexOnce(target: Opened, index: Opened): Value {
  const text = stringOf(target);
  if (text !== null) {
    const at = position(index, text.length);
    if (at === text.length) throw callError`reflect: string index out of range`;
    return new IntegerValue(byteType, BigInt(text.charCodeAt(at)));
  }
  if (target instanceof SliceValue) {
    const at = position(index, target.items.length);
    if (at === target.items.length) throw callError`reflect: slice index out of range`;
    return asStatic(target.items[at] ?? null, target.type.elem);
  }
  if (!(target instanceof MapValue)) throw callError`can't index item of type ${plain(typeName(target))}`;
  const { key, elem } = target.type;
  const found = target.get(keyArgument(index, key));
  return found === undefined && elem !== null ? zeroOf(elem) : asStatic(found ?? null, elem);
}

function keyArgument(index: Opened, type: Type | null): Value {
  if (type === null || type.kind === 'interface') {
    if (index instanceof MapValue || index instanceof SliceValue || index instanceof StructValue) {
      throw callError`runtime error: hash of unhashable type ${plain(typeName(index))}`;
    }
    return index;
  }
  if (index === null) {
    if (!canBeNil(type)) throw callError`value is nil; should be of type ${plain(type.name)}`;
    return zeroOf(type);
  }
  if (typeOf(index) === type) return index;
  const number = integerOf(index);
  if (number !== null && isInteger(type.kind)) return integer(type, number);
  throw callError`value has type ${plain(typeName(index))}; should be ${plain(type.name)}`;
}

/** An index from 0 to `capacity`, both included. */
function position(index: Opened, capacity: number): number {
  if (index === null) throw callError`cannot index slice/array with nil`;
  const number = integerOf(index);
  if (number === null) throw callError`cannot index slice/array with type ${plain(typeName(index))}`;
  const signed = BigInt.asIntN(64, number);
  if (signed < 0n || signed > BigInt(capacity)) throw callError`index out of range: ${plain(signed)}`;
  return Number(signed);
}

/** `slice x 1 2` is x[1:2]. */
export function sliceValue(first: Value, indexes: readonly Value[]): Value {
  const item = openInterface(first);
  if (item === null) throw callError`slice of untyped nil`;
  if (indexes.length > 3) throw callError`too many slice indexes: ${plain(indexes.length)}`;
  const text = stringOf(item);
  if (text !== null && indexes.length === 3) throw callError`cannot 3-index slice a string`;
  if (text === null && !(item instanceof SliceValue)) {
    throw callError`can't slice item of type ${plain(typeName(item))}`;
  }
  const length = text === null ? (item as SliceValue).items.length : text.length;
  const given = indexes.map((index) => {
    // Unlike index, slice does not look into an interface.
    if (index instanceof InterfaceValue) throw callError`cannot index slice/array with type interface {}`;
    return position(index, length);
  });
  const [start = 0, end = length, capacity = length] = given;
  if (start > end) throw callError`invalid slice index: ${plain(start)} > ${plain(end)}`;
  if (end > capacity) throw callError`invalid slice index: ${plain(end)} > ${plain(capacity)}`;
  if (item instanceof SliceValue)
    return new SliceValue(item.type, item.isNil ? null : item.items.slice(start, end));
  const part = (text ?? '').slice(start, end);
  return item instanceof JsonNumber ? new JsonNumber(part) : part;
}

/** Bytes of a string, items of a slice, entries of a map. */
export function lengthOf(value: Value): bigint {
  if (value === null) throw callError`reflect: call of reflect.Value.Type on zero Value`;
  const target = indirect(value);
  if (target === null) throw callError`len of nil pointer`;
  const text = stringOf(target);
  if (text !== null) return BigInt(text.length);
  if (target instanceof SliceValue) return BigInt(target.items.length);
  if (target instanceof MapValue) return BigInt(target.size);
  // Channels of templates are unbuffered.
  if (target instanceof ChannelValue) return 0n;
  throw callError`len of type ${plain(typeName(target))}`;
}
