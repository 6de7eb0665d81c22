// spew_*: values with their types, for finding out what a secret looks like. spew_dump and spew_printf write to standard
// output in consul-template; here they write nothing, since that would be the agent's log.
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
} from '../../exec/function-table.ts';
import { sprintf } from '../../text/printf.ts';
import { quoteString } from '../../text/quote.ts';
import { anyType, type Type } from '../../value/type.ts';
import {
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
  type Value,
} from '../../value/value.ts';

const silent = defineFunction(['...any'], 'string', () => '');

export const debug: FunctionTable = {
  spew_dump: silent,
  spew_printf: defineFunction(['string', '...any'], 'string', () => ''),
  spew_sdump: defineFunction(['...any'], 'string', (context, ...values) =>
    values.map((value) => `${dump(context, openInterface(value), 0, true)}\n`).join(''),
  ),
  spew_sprintf: defineFunction(['string', '...any'], 'string', (context, format, ...values) =>
    spewFormat(context, format, values),
  ),
};

/** As go-spew's Sdump, without the addresses of pointers and the capacities of lists. */
function dump(context: CallContext, value: Opened, depth: number, hasType: boolean): string {
  context.spend(1);
  if (depth > context.limits.valueDepth) throw callError`value is nested too deeply to be printed`;
  if (value === null) return '(interface {}) <nil>';
  if (value instanceof PointerValue) return dumpPointer(context, value, depth);
  const type = hasType ? `(${typeName(value)}) ${sizeOf(value)}` : '';
  if (value instanceof MapValue) {
    context.goThrough(value.size);
    const entries = [...value.entries()].map(
      ([key, item]) =>
        [`${dump(context, openInterface(key), depth + 1, true)}: `, openInterface(item)] as const,
    );
    return type + (value.isNil ? '<nil>' : block(context, entries, depth));
  }
  if (value instanceof SliceValue) {
    context.goThrough(value.items.length);
    const items = value.items.map((item) => ['', openInterface(item)] as const);
    return type + (value.isNil ? '<nil>' : block(context, items, depth));
  }
  if (value instanceof StructValue && !value.type.methods.has('String')) {
    const fields = value.type.fields.map(
      (field, at) => [`${field.name}: `, openInterface(value.values[at] ?? null)] as const,
    );
    return type + block(context, fields, depth);
  }
  return type + dumpPlain(context, value);
}

function dumpPointer(context: CallContext, value: PointerValue, depth: number): string {
  const inner = value.target === null ? '<nil>' : dump(context, value.target, depth, false);
  return `(${typeName(value)})(${inner})`;
}

function sizeOf(value: Opened): string {
  const size =
    value instanceof MapValue
      ? value.size
      : value instanceof SliceValue
        ? value.items.length
        : stringOf(value)?.length;
  if (size === undefined || size === 0) return '';
  return value instanceof SliceValue ? `(len=${size} cap=${size}) ` : `(len=${size}) `;
}

function block(
  context: CallContext,
  entries: readonly (readonly [prefix: string, value: Opened])[],
  depth: number,
): string {
  const indent = ' '.repeat(depth + 1);
  const lines = entries.map(
    ([prefix, value]) => `${indent}${prefix}${dump(context, value, depth + 1, true)}`,
  );
  return `{\n${lines.join(',\n')}${lines.length > 0 ? '\n' : ''}${' '.repeat(depth)}}`;
}

function dumpPlain(context: CallContext, value: Opened): string {
  const text = stringOf(value);
  return text === null ? sprintf(context, '%v', [value]) : quoteString(text);
}

const verb = /%([-+# 0]*)\d*(?:\.\d*)?([a-zA-Z%])/g;

/** As go-spew's Sprintf: %v and its forms by its own rules, other verbs as fmt. */
function spewFormat(context: CallContext, format: string, values: readonly Opened[]): string {
  if (/[[*]/.test(format)) return sprintf(context, format, values);
  let next = 0;
  const used: Opened[] = [];
  const rewritten = format.replace(verb, (all, flags: string, letter: string) => {
    if (letter === '%' || next >= values.length) return all;
    const value = values[next++] ?? null;
    if (letter === 'T') return '*spew.formatState';
    used.push(letter === 'v' ? spewText(context, value, flags.includes('#')) : value);
    return letter === 'v' ? '%s' : all;
  });
  return sprintf(context, rewritten, [...used, ...values.slice(next)]);
}

/** One line, for `#` with the type in front of each value. */
function spewText(context: CallContext, value: Opened, hasType: boolean, depth = 0): string {
  context.spend(1);
  if (depth > context.limits.valueDepth) throw callError`value is nested too deeply to be printed`;
  if (value === null) return hasType ? '(interface {})<nil>' : '<nil>';
  const inner = (item: Value, of: Type | null = anyType): string =>
    spewText(context, openInterface(item), hasType && of === anyType, depth + 1);
  const type = hasType ? `(${typeName(value)})` : '';
  if (value instanceof MapValue) {
    const { key: keyType, elem } = value.type;
    context.goThrough(value.size);
    const entries = [...value.entries()].map(([key, item]) => `${inner(key, keyType)}:${inner(item, elem)}`);
    return `${type}${value.isNil ? '<nil>' : `map[${entries.join(' ')}]`}`;
  }
  if (value instanceof SliceValue)
    return `${type}${value.isNil ? '<nil>' : `[${value.items.map((item) => inner(item, value.type.elem)).join(' ')}]`}`;
  if (value instanceof PointerValue) return `<*>${value.target === null ? '<nil>' : inner(value.target)}`;
  if (value instanceof StructValue && !value.type.methods.has('String')) {
    const names = value.type.fields.map((field) => (hasType ? `${field.name}:` : ''));
    return `${type}{${value.values.map((item, at) => `${names[at]}${inner(item)}`).join(' ')}}`;
  }
  return type + sprintf(context, '%v', [value]);
}
