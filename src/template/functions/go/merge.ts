// Merging of maps as the Go library mergo does it for consul-template and sprig: the target is changed in place; its
// values win unless they are empty, or lose when `overwrites` is set; maps merge key by key, lists never do.
import { type CallContext, callError, plain } from '../../exec/function-table.ts';
import { anyType } from '../../value/type.ts';
import {
  anyMap,
  integerOf,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  type Value,
} from '../../value/value.ts';
import { willChange } from '../consul-template/shared-value.ts';

interface MergeOptions {
  readonly overwrites: boolean;
  /** A map does not overwrite a full value that is none: the elder mergo's way, which sprig 3.2 has. */
  readonly keepsAgainstMaps?: boolean;
}

/** Merges and gives the target, or a new map when the target is nil. */
export function mergeMaps(
  context: CallContext,
  target: MapValue,
  source: MapValue,
  options: MergeOptions,
): MapValue {
  const into = target.isNil && !source.isNil ? anyMap([]) : target;
  mergeInto(context, into, source, options, 0);
  return into;
}

function mergeInto(
  context: CallContext,
  target: MapValue,
  source: MapValue,
  options: MergeOptions,
  depth: number,
): void {
  if (depth > context.limits.valueDepth) throw callError`maps are nested too deeply to be merged`;
  const { overwrites } = options;
  context.goThrough(source.size);
  for (const [key, item] of [...source.entries()]) {
    context.spend(1);
    checkKey(target, source);
    const value = openInterface(item);
    const old = target.has(key) ? openInterface(target.get(key) ?? null) : undefined;
    if (value === null) {
      if (overwrites) set(target, source, key, null);
      continue;
    }
    if (value instanceof MapValue && old instanceof MapValue && !(old.isNil && !value.isNil)) {
      mergeInto(context, old, value, options, depth + 1);
    }
    const isOldFull = old !== undefined && !isEmpty(old);
    if (isOldFull && value instanceof MapValue && old instanceof MapValue) continue;
    const isKept = value instanceof MapValue && options.keepsAgainstMaps === true;
    if ((overwrites && !isKept) || !isOldFull) set(target, source, key, value);
  }
}

function checkKey(target: MapValue, source: MapValue): void {
  if (target.type.key === source.type.key || target.type.key === anyType) return;
  throw callError`reflect.Value.MapIndex: value of type ${plain(source.type.key?.name ?? '')} is not assignable to type ${plain(target.type.key?.name ?? '')}; maps from parseYAML cannot be merged into maps from JSON`;
}

function set(target: MapValue, source: MapValue, key: Value, value: Value): void {
  const { elem } = target.type;
  if (elem !== source.type.elem && elem !== anyType) {
    throw callError`reflect.Value.SetMapIndex: value of type ${plain(source.type.elem?.name ?? '')} is not assignable to type ${plain(elem?.name ?? '')}`;
  }
  willChange(target);
  target.set(key, value);
}

/** Zero, false, no items, nil; structs are never empty. */
function isEmpty(value: Opened): boolean {
  if (value === null || value === false || value === 0) return true;
  if (value instanceof MapValue) return value.size === 0;
  if (value instanceof SliceValue) return value.items.length === 0;
  if (value instanceof PointerValue) return value.target === null;
  if (value instanceof StructValue) return false;
  const whole = integerOf(value);
  return whole !== null ? whole === 0n : stringOf(value) === '';
}
