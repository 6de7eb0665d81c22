// Values made once for each secret and shared by all executions, although templates may change maps in place (sprig_set,
// mergeMap, scratch.MapSet): whoever changes a map says so here, and the next execution starts from fresh values.
import type { CallContext } from '../../exec/function-table.ts';
import type { LookupSecret } from '../../exec/lookup.ts';
import type { MapValue } from '../../value/value.ts';

interface Shared<T> {
  readonly generation: number;
  readonly value: T;
}

let generation = 0;
const ownMaps = new WeakSet<MapValue>();

/** A getter of what `make` gives; within an execution it is the same object each time. */
export function sharedBySecret<T>(
  make: (secret: LookupSecret) => T,
): (context: CallContext, secret: LookupSecret) => T {
  const shared = new WeakMap<LookupSecret, Shared<T>>();
  const used = new WeakMap<CallContext, Map<LookupSecret, T>>();
  return (context, secret) => {
    const usedHere = used.get(context) ?? new Map<LookupSecret, T>();
    used.set(context, usedHere);
    let value = usedHere.get(secret);
    if (value !== undefined) return value;
    const known = shared.get(secret);
    value = known?.generation === generation ? known.value : make(secret);
    shared.set(secret, { generation, value });
    usedHere.set(secret, value);
    return value;
  };
}

/** Marks a map that the template made itself: no secret has it. */
export function ownMap(map: MapValue): MapValue {
  ownMaps.add(map);
  return map;
}

/** To be called before a map is changed in place. */
export function willChange(map: MapValue): void {
  if (!ownMaps.has(map)) generation++;
}
