// What `range` goes over: pairs of index and element, in Go's order, made one by one.
import {
  asStatic,
  ChannelValue,
  integer,
  integerOf,
  MapValue,
  type Opened,
  SliceValue,
  typeOf,
  type Value,
} from '../value/value.ts';

export type Pairs = Iterator<readonly [index: Value, element: Value]>;

/** The pairs of a value; null when it cannot be ranged over. Nil has none. */
export function pairsOf(value: Opened): Pairs | null {
  if (value === null) return [][Symbol.iterator]();
  if (value instanceof SliceValue) return slicePairs(value);
  if (value instanceof MapValue) return mapPairs(value);
  if (value instanceof ChannelValue) return channelPairs(value);
  return integerOf(value) === null ? null : integerPairs(value);
}

function* slicePairs(slice: SliceValue): Generator<readonly [Value, Value]> {
  let index = 0n;
  for (const item of slice.items) yield [index++, asStatic(item, slice.type.elem)];
}

function* mapPairs(map: MapValue): Generator<readonly [Value, Value]> {
  for (const [key, value] of [...map.entries()]) {
    yield [asStatic(key, map.type.key), asStatic(value, map.type.elem)];
  }
}

function* channelPairs(channel: ChannelValue): Generator<readonly [Value, Value]> {
  for (let index = 0n; ; index++) {
    const { done, value } = channel.source.next();
    if (done === true) return;
    yield [index, value];
  }
}

/** The numbers below it, of its own type; they have no index. */
function* integerPairs(value: Opened): Generator<readonly [Value, Value]> {
  const end = integerOf(value) ?? 0n;
  const type = typeOf(value);
  for (let number = 0n; number < end; number++) yield [null, type === null ? number : integer(type, number)];
}
