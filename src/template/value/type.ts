// Go's types, as far as a template can see them: what %T prints, what error messages name, what may be assigned to what.
// Types are interned: equal types are the same object.
import type { TemplateFunction } from '../exec/function-table.ts';

export type Kind =
  | 'bool'
  | IntegerKind
  | 'float64'
  | 'complex128'
  | 'string'
  | 'map'
  | 'slice'
  | 'struct'
  | 'ptr'
  | 'chan'
  | 'interface';

export type SignedKind = 'int' | 'int8' | 'int16' | 'int32' | 'int64';
export type UnsignedKind = 'uint' | 'uint8' | 'uint16' | 'uint32' | 'uint64';
export type IntegerKind = SignedKind | UnsignedKind;

interface Field {
  readonly name: string;
  readonly type: Type;
}

/** One Go type. Build with `typeOf…`, `namedType` and `structType`, never by hand. */
export interface Type {
  readonly kind: Kind;
  /** As Go prints it: `map[string]interface {}`. */
  readonly name: string;
  /** Of a map. */
  readonly key: Type | null;
  /** Of a map, slice, channel or pointer. */
  readonly elem: Type | null;
  /** Of a struct; only exported ones. */
  readonly fields: readonly Field[];
  /** Called with the receiver as the first argument. A pointer sees those of what it points to. */
  readonly methods: ReadonlyMap<string, TemplateFunction>;
}

const noMethods: ReadonlyMap<string, TemplateFunction> = new Map();
const known = new Map<string, Type>();

const basicKinds: readonly Kind[] = [
  'bool',
  'string',
  'int',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float64',
  'complex128',
];
for (const kind of basicKinds) intern({ kind, name: kind });
intern({ kind: 'interface', name: 'interface {}' });
/** A number of a secret; its methods are in json-number.ts. */
intern({ kind: 'string', name: 'json.Number', methods: new Map() });
known.set('any', typeOfName('interface {}'));
/** What builtins take: any value as it is, an interface not opened. */
intern({ kind: 'struct', name: 'reflect.Value' });

export const boolType = typeOfName('bool');
export const stringType = typeOfName('string');
export const intType = typeOfName('int');
export const float64Type = typeOfName('float64');
export const complex128Type = typeOfName('complex128');
export const anyType = typeOfName('any');
export const reflectValueType = typeOfName('reflect.Value');
export const jsonNumberType = typeOfName('json.Number');

function intern(parts: Partial<Type> & Pick<Type, 'kind' | 'name'>): Type {
  const type: Type = { key: null, elem: null, fields: [], methods: noMethods, ...parts };
  known.set(type.name, type);
  return type;
}

/**
 * The type with this name: a basic one, `any`, `reflect.Value`, a declared one, or built of those with `[]`,
 * `map[K]`, `*` and `<-chan `. Throws on an unknown name: a mistake in a function's declaration.
 */
export function typeOfName(name: string): Type {
  const found = known.get(name);
  if (found !== undefined) return found;
  const built = buildType(name);
  known.set(name, built);
  return built;
}

function buildType(name: string): Type {
  if (name.startsWith('[]')) return internOnce('slice', (elem) => `[]${elem}`, typeOfName(name.slice(2)));
  if (name.startsWith('*')) return internOnce('ptr', (elem) => `*${elem}`, typeOfName(name.slice(1)));
  if (name.startsWith('<-chan '))
    return internOnce('chan', (elem) => `<-chan ${elem}`, typeOfName(name.slice(7)));
  const map = /^map\[([^\]]+)\](.+)$/.exec(name);
  if (map === null) throw new Error(`unknown type ${name}`);
  const key = typeOfName(map[1] ?? '');
  return internOnce('map', (elem) => `map[${key.name}]${elem}`, typeOfName(map[2] ?? ''), key);
}

function internOnce(kind: Kind, nameOf: (elem: string) => string, elem: Type, key: Type | null = null): Type {
  const name = nameOf(elem.name);
  return (
    known.get(name) ?? intern({ kind, name, key, elem, methods: kind === 'ptr' ? elem.methods : noMethods })
  );
}

/** Gives a type that is known already its methods. */
export function declareMethods(type: Type, methods: Readonly<Record<string, TemplateFunction>>): void {
  for (const [name, method] of Object.entries(methods))
    (type.methods as Map<string, TemplateFunction>).set(name, method);
}

/** Declares a named type of a basic kind that has methods, such as `time.Duration`. Once a name. */
export function namedType(
  name: string,
  kind: Kind,
  methods: Readonly<Record<string, TemplateFunction>>,
): Type {
  return intern({ kind, name, methods: new Map(Object.entries(methods)) });
}

/** Declares a struct type with its exported fields, in Go's order (they are printed so). Once a name. */
export function structType(
  name: string,
  fields: readonly (readonly [name: string, type: string])[],
  methods: Readonly<Record<string, TemplateFunction>> = {},
): Type {
  return intern({
    kind: 'struct',
    name,
    fields: fields.map(([field, type]) => ({ name: field, type: typeOfName(type) })),
    methods: new Map(Object.entries(methods)),
  });
}

export function isSigned(kind: Kind): kind is SignedKind {
  return kind === 'int' || kind === 'int64' || kind === 'int32' || kind === 'int16' || kind === 'int8';
}

export function isUnsigned(kind: Kind): kind is UnsignedKind {
  return kind === 'uint' || kind === 'uint64' || kind === 'uint32' || kind === 'uint16' || kind === 'uint8';
}

export function isInteger(kind: Kind): kind is IntegerKind {
  return isSigned(kind) || isUnsigned(kind);
}

/** Whether `nil` may stand for a value of the type. */
export function canBeNil(type: Type): boolean {
  switch (type.kind) {
    case 'map':
    case 'slice':
    case 'ptr':
    case 'chan':
    case 'interface':
      return true;
    default:
      return type === reflectValueType;
  }
}
