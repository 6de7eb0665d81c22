// How sprig makes strings of values, and lists of strings of anything.
import type { CallContext } from '../../exec/function-table.ts';
import { sprintf } from '../../text/printf.ts';
import { type Opened, openInterface, SliceValue, type Value } from '../../value/value.ts';

/** Strings as they are, all else as %v prints it. */
export function textOf(context: CallContext, value: Value): string {
  const opened = openInterface(value);
  return typeof opened === 'string' ? opened : sprintf(context, '%v', [opened]);
}

/** The items of a list, without nils; nothing for nil; one for any other value. */
export function stringsOf(context: CallContext, value: Value): readonly string[] {
  const opened = openInterface(value);
  if (opened === null) return [];
  if (!(opened instanceof SliceValue)) return [textOf(context, opened)];
  context.spend(opened.items.length);
  return opened.items.filter(isPresent).map((item) => textOf(context, item));
}

function isPresent(item: Value): item is Exclude<Opened, null> {
  return openInterface(item) !== null;
}
