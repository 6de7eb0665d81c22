// sprig's maps. set, unset and merge change their first argument in place, as they do in Go.
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
} from '../../exec/function-table.ts';
import { typeOfName } from '../../value/type.ts';
import {
  anyMap,
  anySlice,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  typeName,
  type Value,
} from '../../value/value.ts';
import { ownMap, willChange } from '../consul-template/shared-value.ts';
import { deepEqual } from '../go/deep-equal.ts';
import { mergeMaps } from '../go/merge.ts';
import { textOf } from './sprig-text.ts';

const dictType = 'map[string]interface {}';
const deepCopy = defineFunction(['any'], 'any', (context, value) => {
  if (value === null) throw callError`reflect: call of reflect.Value.Type on zero Value`;
  return copy(context, value, 0);
});
const merge = merger(false);
const mergeOverwrite = merger(true);

export const sprigDicts: FunctionTable = {
  sprig_dict: defineFunction(['...any'], dictType, (context, ...pairs) => {
    const map = ownMap(anyMap([]));
    for (let i = 0; i < pairs.length; i += 2) {
      map.set(textOf(context, pairs[i] ?? null), i + 1 < pairs.length ? (pairs[i + 1] ?? null) : '');
    }
    return map;
  }),
  sprig_get: defineFunction([dictType, 'string'], 'any', (_context, map, key) =>
    map.has(key) ? openInterface(map.get(key) ?? null) : '',
  ),
  sprig_set: defineFunction([dictType, 'string', 'any'], dictType, (_context, map, key, value) => {
    if (map.isNil) throw callError`assignment to entry in nil map`;
    willChange(map);
    map.set(key, value);
    return map;
  }),
  sprig_unset: defineFunction([dictType, 'string'], dictType, (_context, map, key) => {
    willChange(map);
    map.delete(key);
    return map;
  }),
  sprig_hasKey: defineFunction([dictType, 'string'], 'bool', (_context, map, key) => map.has(key)),
  sprig_pluck: defineFunction(['string', `...${dictType}`], '[]interface {}', (_context, key, ...maps) =>
    anySlice(maps.filter((map) => map.has(key)).map((map) => openInterface(map.get(key) ?? null))),
  ),
  sprig_keys: defineFunction([`...${dictType}`], '[]string', (_context, ...maps) =>
    maps.flatMap((map) => map.keys().map(String)),
  ),
  sprig_values: defineFunction([dictType], '[]interface {}', (_context, map) =>
    anySlice([...map.entries()].map(([, value]) => openInterface(value))),
  ),
  sprig_pick: defineFunction([dictType, '...string'], dictType, (_context, map, ...keys) =>
    anyMap(keys.filter((key) => map.has(key)).map((key) => [key, map.get(key) ?? null] as const)),
  ),
  sprig_omit: defineFunction([dictType, '...string'], dictType, (_context, map, ...keys) => {
    const omitted = new Set<Value>(keys);
    return anyMap(
      [...map.entries()]
        .filter(([key]) => !omitted.has(key))
        .map(([key, value]) => [String(key), value] as const),
    );
  }),
  sprig_merge: merge,
  sprig_mustMerge: merge,
  sprig_mergeOverwrite: mergeOverwrite,
  sprig_mustMergeOverwrite: mergeOverwrite,
  sprig_dig: defineFunction(['...any'], 'any', (_context, ...args) => dig(args)),
  sprig_deepCopy: deepCopy,
  sprig_mustDeepCopy: deepCopy,
  sprig_deepEqual: defineFunction(['any', 'any'], 'bool', (context, a, b) => deepEqual(context, a, b)),
};

function merger(overwrites: boolean) {
  return defineFunction([dictType, `...${dictType}`], 'any', (context, target, ...sources) =>
    sources.reduce(
      (into: MapValue, source) => mergeMaps(context, into, source, { overwrites, keepsAgainstMaps: true }),
      target,
    ),
  );
}

/** Keys, then the default, then the map. */
function dig(args: readonly Opened[]): Opened {
  if (args.length < 3) throw callError`dig needs at least three arguments`;
  const keys = args.slice(0, -2);
  let step = asDict(args.at(-1) ?? null);
  for (const key of keys) {
    if (typeof key !== 'string') throw badAssertion(key, 'string');
  }
  for (const [index, key] of keys.entries()) {
    if (!step.has(key)) return args.at(-2) ?? null;
    const next = openInterface(step.get(key) ?? null);
    if (index === keys.length - 1) return next;
    step = asDict(next);
  }
  return null;
}

function asDict(value: Opened): MapValue {
  if (value instanceof MapValue && value.type === typeOfName(dictType)) return value;
  throw badAssertion(value, dictType);
}

function badAssertion(value: Opened, wanted: string) {
  return callError`interface conversion: interface {} is ${plain(value === null ? 'nil' : typeName(value))}, not ${plain(wanted)}`;
}

function copy(context: CallContext, value: Opened, depth: number): Opened {
  context.spend(1);
  if (depth > context.limits.valueDepth) throw callError`value is nested too deeply to be copied`;
  const inner = (item: Value): Opened => copy(context, openInterface(item), depth + 1);
  if (value instanceof MapValue) {
    context.goThrough(value.size);
    return new MapValue(
      value.type,
      value.isNil ? null : [...value.entries()].map(([key, item]) => [key, inner(item)] as const),
    );
  }
  if (value instanceof SliceValue)
    return new SliceValue(value.type, value.isNil ? null : value.items.map(inner));
  if (value instanceof PointerValue && value.target !== null) {
    return new PointerValue(value.type, inner(value.target) as StructValue);
  }
  return value instanceof StructValue && value.hidden === undefined
    ? new StructValue(value.type, value.values.map(inner))
    : value;
}
