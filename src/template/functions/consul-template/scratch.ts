// scratch: a map for the length of one execution, shared by all templates of a file.
import {
  callError,
  defineFunction,
  defineMethod,
  type FunctionTable,
  quoted,
} from '../../exec/function-table.ts';
import { structType, typeOfName } from '../../value/type.ts';
import {
  anyMap,
  anySlice,
  MapValue,
  openInterface,
  PointerValue,
  StructValue,
  type Value,
} from '../../value/value.ts';
import { ownMap, willChange } from './shared-value.ts';

const anyMapType = typeOfName('map[string]interface {}');

const scratchType = structType('template.Scratch', [], {
  Key: defineMethod(['string'], 'bool', (context, _self, key) => context.scratch.has(key)),
  Get: defineMethod(['string'], 'any', (context, _self, key) =>
    openInterface(context.scratch.get(key) ?? null),
  ),
  Set: defineMethod(['string', 'any'], 'string', (context, _self, key, value) => {
    context.scratch.set(key, openInterface(value));
    return '';
  }),
  SetX: defineMethod(['string', 'any'], 'string', (context, _self, key, value) => {
    if (!context.scratch.has(key)) context.scratch.set(key, openInterface(value));
    return '';
  }),
  MapSet: defineMethod(['string', 'string', 'any'], 'string', (context, _self, name, key, value) =>
    setInMap(context.scratch, name, key, value, true),
  ),
  MapSetX: defineMethod(['string', 'string', 'any'], 'string', (context, _self, name, key, value) =>
    setInMap(context.scratch, name, key, value, false),
  ),
  MapValues: defineMethod(['string'], '[]interface {}', (context, _self, name) => {
    const map = innerMap(context.scratch, name);
    return anySlice(map === null ? null : [...map.entries()].map(([, value]) => openInterface(value)));
  }),
});

export const scratch: FunctionTable = {
  scratch: defineFunction([], '*template.Scratch', () => theScratch),
};

const theScratch = new PointerValue(typeOfName('*template.Scratch'), new StructValue(scratchType, []));

function setInMap(values: MapValue, name: string, key: string, value: Value, overwrites: boolean): string {
  if (!values.has(name)) values.set(name, ownMap(anyMap([])));
  const map = innerMap(values, name);
  if (map === null) throw callError`${quoted(name)} is not a map`;
  if (overwrites || !map.has(key)) {
    willChange(map);
    map.set(key, openInterface(value));
  }
  return '';
}

function innerMap(values: MapValue, name: string): MapValue | null {
  const map = openInterface(values.get(name) ?? null);
  return map instanceof MapValue && map.type === anyMapType ? map : null;
}
