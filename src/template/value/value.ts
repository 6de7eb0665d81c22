// What a template computes with: Go's values, kinds kept apart.
//
//   string → string (a byte string, see bytes.ts)     bigint → int          number → float64      boolean → bool
//   null   → nil: an untyped nil, what a nil interface holds, reflect's zero Value
//   JsonNumber → json.Number (a number of a secret)   the classes below → everything else
//
// An `InterfaceValue` stands for a Go value whose static type is interface {}: an element of a []interface {} or of a
// map[string]interface {} before it is opened. Only builtins (parameters of type `reflect.Value`) and exec ever see
// one; containers and functions hold what is inside.
import { JsonNumber } from '../../base/text/json.ts';
import {
  anyType,
  boolType,
  complex128Type,
  float64Type,
  intType,
  jsonNumberType,
  reflectValueType,
  stringType,
  type Type,
  typeOfName,
} from './type.ts';

export type Value = Opened | InterfaceValue;

/** A value that is no interface: what functions get and containers hold. */
export type Opened =
  | null
  | string
  | boolean
  | number
  | bigint
  | JsonNumber
  | IntegerValue
  | ComplexValue
  | SliceValue
  | MapValue
  | StructValue
  | PointerValue
  | ChannelValue;

/** An integer of another type than int: int64, uint8, a named one such as time.Duration. Kept in its type's range. */
export class IntegerValue {
  readonly type: Type;
  readonly value: bigint;

  constructor(type: Type, value: bigint) {
    this.type = type;
    this.value = value;
  }
}

/** A complex128. */
export class ComplexValue {
  readonly real: number;
  readonly imaginary: number;

  constructor(real: number, imaginary: number) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

/** A slice. Items are held opened (no InterfaceValue). Not written to once a template can see it. */
export class SliceValue {
  readonly type: Type;
  readonly items: readonly Value[];
  readonly isNil: boolean;

  constructor(type: Type, items: readonly Value[] | null) {
    this.type = type;
    this.items = items ?? [];
    this.isNil = items === null;
  }
}

/** A map. Values are held opened. `set` and `delete` are for functions that change their argument, as sprig's do. */
export class MapValue {
  readonly type: Type;
  readonly isNil: boolean;
  readonly #values = new Map<unknown, Value>();
  readonly #boxedKeys = new Map<unknown, Value>();
  #sorted: readonly Value[] | null = null;

  constructor(type: Type, entries: Iterable<readonly [Value, Value]> | null) {
    this.type = type;
    this.isNil = entries === null;
    for (const [key, value] of entries ?? []) this.set(key, value);
  }

  get size(): number {
    return this.#values.size;
  }

  has(key: Value): boolean {
    return this.#values.has(identity(key));
  }

  /** The value, or undefined when there is no such key. */
  get(key: Value): Value | undefined {
    return this.#values.get(identity(key));
  }

  set(key: Value, value: Value): void {
    const id = identity(key);
    if (!this.#values.has(id)) this.#sorted = null;
    if (id !== key) this.#boxedKeys.set(id, key);
    this.#values.set(id, value);
  }

  delete(key: Value): void {
    const id = identity(key);
    if (this.#values.delete(id)) this.#sorted = null;
    this.#boxedKeys.delete(id);
  }

  /** The keys in the order in which Go prints and ranges over a map. */
  keys(): readonly Value[] {
    this.#sorted ??= [...this.#values.keys()]
      .map((id) => (this.#boxedKeys.has(id) ? (this.#boxedKeys.get(id) ?? null) : (id as Value)))
      .sort(compareKeys);
    return this.#sorted;
  }

  /** Key and value, in the order of `keys`. */
  *entries(): Generator<readonly [Value, Value]> {
    for (const key of this.keys()) yield [key, this.get(key) ?? null];
  }
}

/** A struct; `values` are in the order of its type's fields, or the object behind the methods of an opaque one. */
export class StructValue {
  readonly type: Type;
  readonly values: readonly Value[];
  /** What methods work on, for types whose fields a template cannot see. */
  readonly hidden: unknown;

  constructor(type: Type, values: readonly Value[], hidden?: unknown) {
    this.type = type;
    this.values = values;
    this.hidden = hidden;
  }
}

/** A pointer to a struct; null is a typed nil. */
export class PointerValue {
  readonly type: Type;
  readonly target: StructValue | null;

  constructor(type: Type, target: StructValue | null) {
    this.type = type;
    this.target = target;
  }
}

/** A channel that is read to its end by `range`; a second range gets what is left. */
export class ChannelValue {
  readonly type: Type;
  readonly source: Iterator<Value>;

  constructor(type: Type, source: Iterator<Value>) {
    this.type = type;
    this.source = source;
  }
}

/** A value whose static type is interface {}; null inside is the nil interface. */
export class InterfaceValue {
  readonly value: Opened;

  constructor(value: Value) {
    this.value = value instanceof InterfaceValue ? value.value : value;
  }
}

export const nilInterface = new InterfaceValue(null);

/** The value as one whose static type is that of its container's elements. */
export function asStatic(value: Value, type: Type | null): Value {
  return type?.kind === 'interface' ? new InterfaceValue(value) : value;
}

/** What is inside an interface, else the value itself. */
export function openInterface(value: Value): Opened {
  return value instanceof InterfaceValue ? value.value : value;
}

/** What an interface or pointer holds at its end, as reflect's indirect: null for a nil on the way. */
export function indirect(value: Value): Exclude<Opened, PointerValue> {
  const opened = openInterface(value);
  return opened instanceof PointerValue ? opened.target : opened;
}

const anySliceType = typeOfName('[]interface {}');
const stringSliceType = typeOfName('[]string');
const anyMapType = typeOfName('map[string]interface {}');
const stringMapType = typeOfName('map[string]string');

/** The Go type of a value; null for nil, which has none. */
export function typeOf(value: Value): Type | null {
  switch (typeof value) {
    case 'string':
      return stringType;
    case 'bigint':
      return intType;
    case 'number':
      return float64Type;
    case 'boolean':
      return boolType;
  }
  if (value === null) return null;
  if (value instanceof JsonNumber) return jsonNumberType;
  if (value instanceof InterfaceValue) return anyType;
  return value instanceof ComplexValue ? complex128Type : value.type;
}

/** The name of a value's type, `<nil>` for nil: what %T prints. */
export function typeName(value: Value): string {
  return typeOf(value)?.name ?? '<nil>';
}

/** A []interface {}. */
export function anySlice(items: readonly Value[] | null): SliceValue {
  return new SliceValue(anySliceType, items);
}

/** A []string of byte strings. */
export function stringSlice(items: readonly string[] | null): SliceValue {
  return new SliceValue(stringSliceType, items);
}

/** A map[string]interface {}. */
export function anyMap(entries: Iterable<readonly [string, Value]> | null): MapValue {
  return new MapValue(anyMapType, entries);
}

/** A map[string]string. */
export function stringMap(entries: Iterable<readonly [string, string]> | null): MapValue {
  return new MapValue(stringMapType, entries);
}

/** The number of an integer of any type; null for anything else. */
export function integerOf(value: Value): bigint | null {
  if (typeof value === 'bigint') return value;
  return value instanceof IntegerValue ? value.value : null;
}

/** An integer of the type, wrapped around to its range as Go's conversion does. */
export function integer(type: Type, value: bigint): Value {
  const bits = Number(/\d+$/.exec(type.kind)?.[0] ?? 64);
  const wrapped = type.kind.startsWith('u') ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
  return type === intType ? wrapped : new IntegerValue(type, wrapped);
}

/** The byte string of a string or of a number of a secret; null for anything else. */
export function stringOf(value: Value): string | null {
  if (typeof value === 'string') return value;
  return value instanceof JsonNumber ? value.text : null;
}

/** Go's truth of a value: not the zero of its type. A number of a secret is a string: true unless empty. */
export function isTrue(value: Value): boolean {
  if (typeof value !== 'object') return Boolean(value) || Number.isNaN(value);
  if (value === null) return false;
  if (value instanceof InterfaceValue) return isTrue(value.value);
  if (value instanceof JsonNumber) return value.text !== '';
  if (value instanceof MapValue) return value.size > 0;
  if (value instanceof SliceValue) return value.items.length > 0;
  if (value instanceof IntegerValue) return value.value !== 0n;
  if (value instanceof ComplexValue) return value.real !== 0 || value.imaginary !== 0;
  return !(value instanceof PointerValue) || value.target !== null;
}

/** The zero value of a type; what a nil of it is where the type has one. */
export function zeroOf(type: Type): Value {
  switch (type.kind) {
    case 'bool':
      return false;
    case 'string':
      return type === jsonNumberType ? new JsonNumber('') : '';
    case 'float64':
      return 0;
    case 'complex128':
      return new ComplexValue(0, 0);
    case 'map':
      return new MapValue(type, null);
    case 'slice':
      return new SliceValue(type, null);
    case 'ptr':
      return new PointerValue(type, null);
    case 'interface':
      return nilInterface;
    case 'chan':
      return new ChannelValue(type, [][Symbol.iterator]());
    case 'struct':
      return type === reflectValueType
        ? null
        : new StructValue(
            type,
            type.fields.map((field) => zeroOf(field.type)),
          );
    default:
      return integer(type, 0n);
  }
}

/** Keys that are no primitives get a string that no byte string can be (its first character is above 255). */
function identity(key: Value): unknown {
  if (key === null) return '\u0100nil';
  if (typeof key !== 'object') return key;
  if (key instanceof InterfaceValue) return identity(key.value);
  if (key instanceof IntegerValue) return `\u0100${key.type.name}:${key.value}`;
  if (key instanceof JsonNumber) return `\u0100json.Number:${key.text}`;
  if (key instanceof ComplexValue) return `\u0100complex:${key.real},${key.imaginary}`;
  return key;
}

function compareKeys(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : 1;
  if (a === null || b === null) return a === null ? (b === null ? 0 : -1) : 1;
  const byType = keyRank(a) - keyRank(b);
  if (byType !== 0) return byType;
  const left = comparable(a);
  const right = comparable(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

const kindOrder =
  'string int8 uint8 int16 uint16 int32 uint32 int64 uint64 int uint complex128 float64 bool'.split(' ');

/** Go orders keys of unlike types by where their type descriptors lie in the program; in practice this is the order. */
function keyRank(key: Value): number {
  const type = typeOf(key);
  return type === null || type.name !== type.kind ? kindOrder.length : kindOrder.indexOf(type.kind);
}

function comparable(key: Value): string | number | bigint {
  if (typeof key === 'boolean') return Number(key);
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'string') return key;
  return integerOf(key) ?? stringOf(key) ?? 0;
}
