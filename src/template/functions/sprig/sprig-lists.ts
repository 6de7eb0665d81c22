// sprig's lists. They are never changed in place. The plain functions panic where the `must` ones return an error; a
// template sees the same text.
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
  type TemplateFunction,
} from '../../exec/function-table.ts';
import { typeOfName } from '../../value/type.ts';
import { anySlice, type Opened, openInterface, SliceValue, typeOf } from '../../value/value.ts';
import { deepEqual } from '../go/deep-equal.ts';
import { toInt64 } from './sprig-cast.ts';
import { isEmpty } from './sprig-empty.ts';

const list = defineFunction(['...any'], '[]interface {}', (_context, ...items) => anySlice(items));
const push = defineFunction(['any', 'any'], '[]interface {}', (_context, value, item) =>
  anySlice([...itemsOf(value, 'Cannot push on type'), item]),
);

const lists: Readonly<Record<string, TemplateFunction>> = {
  append: push,
  push,
  prepend: defineFunction(['any', 'any'], '[]interface {}', (_context, value, item) =>
    anySlice([item, ...itemsOf(value, 'Cannot prepend on type')]),
  ),
  first: defineFunction(
    ['any'],
    'any',
    (_context, value) => itemsOf(value, 'Cannot find first on type')[0] ?? null,
  ),
  last: defineFunction(
    ['any'],
    'any',
    (_context, value) => itemsOf(value, 'Cannot find last on type').at(-1) ?? null,
  ),
  rest: defineFunction(['any'], '[]interface {}', (_context, value) => {
    const items = itemsOf(value, 'Cannot find rest on type');
    return anySlice(items.length === 0 ? null : items.slice(1));
  }),
  initial: defineFunction(['any'], '[]interface {}', (_context, value) => {
    const items = itemsOf(value, 'Cannot find initial on type');
    return anySlice(items.length === 0 ? null : items.slice(0, -1));
  }),
  reverse: defineFunction(['any'], '[]interface {}', (_context, value) =>
    anySlice(itemsOf(value, 'Cannot find reverse on type').toReversed()),
  ),
  compact: defineFunction(['any'], '[]interface {}', (_context, value) =>
    anySlice(itemsOf(value, 'Cannot compact on type').filter((item) => !isEmpty(item))),
  ),
  uniq: defineFunction(['any'], '[]interface {}', (context, value) => {
    const kept: Opened[] = [];
    for (const item of itemsOf(value, 'Cannot find uniq on type')) {
      if (!isAmong(context, kept, item)) kept.push(item);
    }
    return anySlice(kept);
  }),
  without: defineFunction(['any', '...any'], '[]interface {}', (context, value, ...omitted) =>
    anySlice(
      itemsOf(value, 'Cannot find without on type').filter((item) => !isAmong(context, omitted, item)),
    ),
  ),
  has: defineFunction(['any', 'any'], 'bool', (context, needle, value) =>
    value === null ? false : isAmong(context, itemsOf(value, 'Cannot find has on type'), needle),
  ),
  slice: defineFunction(['any', '...any'], 'any', slice),
  chunk: defineFunction(['int', 'any'], '[][]interface {}', chunk),
};
const withMust = [
  'append',
  'push',
  'prepend',
  'first',
  'last',
  'rest',
  'initial',
  'reverse',
  'compact',
  'uniq',
  'without',
  'has',
  'slice',
  'chunk',
];

export const sprigLists: FunctionTable = {
  sprig_list: list,
  sprig_tuple: list,
  sprig_concat: defineFunction(['...any'], 'any', (_context, ...values) => {
    const items = values.flatMap((value) => {
      if (value instanceof SliceValue) return value.items.map(openInterface);
      throw value === null ? nilPointer() : callError`Cannot concat type ${plain(kindOf(value))} as list`;
    });
    return anySlice(items.length === 0 ? null : items);
  }),
  ...Object.fromEntries(Object.entries(lists).map(([name, run]) => [`sprig_${name}`, run])),
  ...Object.fromEntries(
    Object.entries(lists)
      .filter(([name]) => withMust.includes(name))
      .map(([name, run]) => [`sprig_must${name.charAt(0).toUpperCase()}${name.slice(1)}`, run]),
  ),
};

function itemsOf(value: Opened, complaint: string): readonly Opened[] {
  if (value instanceof SliceValue) return value.items.map(openInterface);
  throw value === null ? nilPointer() : callError`${plain(complaint)} ${plain(kindOf(value))}`;
}

/** What asking nil for its type comes to in Go. */
function nilPointer() {
  return callError`runtime error: invalid memory address or nil pointer dereference`;
}

function kindOf(value: Opened): string {
  return typeOf(value)?.kind ?? 'invalid';
}

function isAmong(context: CallContext, items: readonly Opened[], wanted: Opened): boolean {
  return items.some((item) => deepEqual(context, wanted, item));
}

/** Keeps the list's type. */
function slice(_context: CallContext, value: Opened, ...indices: Opened[]): Opened {
  if (!(value instanceof SliceValue)) {
    throw value === null
      ? nilPointer()
      : callError`list should be type of slice or array but ${plain(kindOf(value))}`;
  }
  const size = BigInt(value.items.length);
  if (size === 0n) return null;
  const start = indices.length > 0 ? toInt64(indices[0] ?? null) : 0n;
  const end = indices.length > 1 ? toInt64(indices[1] ?? null) : size;
  if (start < 0n || end < start || end > size)
    throw callError`reflect.Value.Slice: slice index out of bounds`;
  return new SliceValue(value.type, value.items.slice(Number(start), Number(end)));
}

function chunk(context: CallContext, size: bigint, value: Opened): SliceValue {
  const items = itemsOf(value, 'Cannot chunk type');
  const width = Number(size);
  const count = Math.floor((items.length - 1) / width) + 1;
  const type = typeOfName('[][]interface {}');
  if (count === 0) return new SliceValue(type, []);
  if (!(count > 0 && width > 0)) throw callError`runtime error: makeslice: len out of range`;
  context.spend(count);
  return new SliceValue(
    type,
    Array.from({ length: count }, (_, at) => anySlice(items.slice(at * width, (at + 1) * width))),
  );
}
