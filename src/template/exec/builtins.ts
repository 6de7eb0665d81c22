// Go's own template functions. `and`, `or` and `call` are done by evaluate.ts itself, which knows them by identity.

import { escapeHtml, escapeJs, escapeQuery } from '../text/escape.ts';
import { printable, sprint, sprintln } from '../text/print.ts';
import { sprintf } from '../text/printf.ts';
import { ChannelValue, isTrue, type Opened } from '../value/value.ts';
import { isEqualToAny, isLess } from './compare.ts';
import { type CallContext, defineFunction, type FunctionTable } from './function-table.ts';
import { indexValue, lengthOf, sliceValue } from './indexing.ts';

const value = 'reflect.Value';
const values = '...reflect.Value';

export const builtins: FunctionTable = {
  and: defineFunction([value, values], value, (_context, first) => first),
  or: defineFunction([value, values], value, (_context, first) => first),
  call: defineFunction([value, values], value, (_context, callee) => callee),
  not: defineFunction([value], 'bool', (_context, arg) => !isTrue(arg)),
  len: defineFunction([value], 'int', (_context, item) => lengthOf(item)),
  index: defineFunction([value, values], value, (_context, item, ...indexes) => indexValue(item, indexes)),
  slice: defineFunction([value, values], value, (_context, item, ...indexes) => sliceValue(item, indexes)),
  print: defineFunction(['...any'], 'string', (context, ...args) => sprint(context, args)),
  println: defineFunction(['...any'], 'string', (context, ...args) => sprintln(context, args)),
  printf: defineFunction(['string', '...any'], 'string', (context, format, ...args) =>
    sprintf(context, format, args),
  ),
  html: defineFunction(['...any'], 'string', (context, ...args) => escapeHtml(argumentText(context, args))),
  js: defineFunction(['...any'], 'string', (context, ...args) => escapeJs(argumentText(context, args))),
  urlquery: defineFunction(['...any'], 'string', (context, ...args) =>
    escapeQuery(argumentText(context, args)),
  ),
  eq: defineFunction([value, values], 'bool', (context, first, ...others) =>
    isEqualToAny(context, first, others),
  ),
  ne: defineFunction([value, value], 'bool', (context, a, b) => !isEqualToAny(context, a, [b])),
  lt: defineFunction([value, value], 'bool', (_context, a, b) => isLess(a, b)),
  le: defineFunction(
    [value, value],
    'bool',
    (context, a, b) => isLess(a, b) || isEqualToAny(context, a, [b]),
  ),
  gt: defineFunction(
    [value, value],
    'bool',
    (context, a, b) => !isLess(a, b) && !isEqualToAny(context, a, [b]),
  ),
  ge: defineFunction([value, value], 'bool', (_context, a, b) => !isLess(a, b)),
};

/** The arguments as actions would print them, with print's spaces. */
function argumentText(context: CallContext, args: readonly Opened[]): string {
  return sprint(
    context,
    args.map((arg) => (arg instanceof ChannelValue ? arg : printable(arg))),
  );
}
