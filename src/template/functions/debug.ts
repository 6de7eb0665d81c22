// spew_*: values with their types, for finding out what a secret looks like. spew_dump and spew_printf write to standard
// output in consul-template; here they write nothing, since that would be the agent's log.
import { formatFloat } from '../float-format.ts';
import { type CallContext, callError, defineFunction, type FunctionTable } from '../function-table.ts';
import { sprintf } from '../printf.ts';
import { quoteString } from '../quote.ts';
import {
  IntegerValue,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
} from '../value.ts';

const silent = defineFunction(['...any'], 'string', () => '');

export const debug: FunctionTable = {
  spew_dump: silent,
  spew_printf: defineFunction(['string', '...any'], 'string', () => ''),
  spew_sdump: defineFunction(['...any'], 'string', (context, ...values) =>
    values.map((value) => `${dump(context, openInterface(value), 0, true)}\n`).join(''),
  ),
  spew_sprintf: defineFunction(['string', '...any'], 'string', (context, format, ...values) =>
    sprintf(context, format, values),
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
    const entries = [...value.entries()].map(
      ([key, item]) =>
        [`${dump(context, openInterface(key), depth + 1, true)}: `, openInterface(item)] as const,
    );
    return type + (value.isNil ? '<nil>' : block(context, entries, depth));
  }
  if (value instanceof SliceValue) {
    const items = value.items.map((item) => ['', openInterface(item)] as const);
    return type + (value.isNil ? '<nil>' : block(context, items, depth));
  }
  if (value instanceof StructValue) {
    const fields = value.type.fields.map(
      (field, at) => [`${field.name}: `, openInterface(value.values[at] ?? null)] as const,
    );
    return type + block(context, fields, depth);
  }
  return type + dumpPlain(value);
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

function dumpPlain(value: Opened): string {
  const text = stringOf(value);
  if (text !== null) return quoteString(text);
  if (typeof value === 'number') return formatFloat(value, 'g', -1);
  return String(value instanceof IntegerValue ? value.value : value);
}
