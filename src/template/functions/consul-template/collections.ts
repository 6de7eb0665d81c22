// Membership, nested maps, merging and counting: in, contains…, explodeMap, mergeMap, loop.
import {
  type CallContext,
  callError,
  defineFunction,
  type ErrorPart,
  type FunctionTable,
  plain,
  quoted,
  shownAs,
} from '../../exec/function-table.ts';
import { indexOfText } from '../../text/find.ts';
import { sprintf } from '../../text/printf.ts';
import { isSigned, structType, typeOfName } from '../../value/type.ts';
import {
  anyMap,
  ChannelValue,
  integer,
  integerOf,
  MapValue,
  type Opened,
  openInterface,
  SliceValue,
  stringOf,
  typeName,
  typeOf,
} from '../../value/value.ts';
import { mergeMaps } from '../go/merge.ts';
import { parseInt64 } from './parsing.ts';

const int64 = typeOfName('int64');
/** What mergeMap's Go code takes as options: nothing that a template has. */
structType('func(*mergo.Config)', []);

export const collections: FunctionTable = {
  in: defineFunction(['any', 'any'], 'bool', (context, list, value) =>
    isIn(context, list as Opened, value as Opened),
  ),
  contains: defineFunction(['any', 'any'], 'bool', (context, value, list) =>
    isIn(context, list as Opened, value as Opened),
  ),
  containsAll: containsSome(true, true),
  containsAny: containsSome(false, false),
  containsNone: containsSome(true, false),
  containsNotAll: containsSome(false, true),
  explodeMap: defineFunction(['map[string]interface {}'], 'map[string]interface {}', explodeMap),
  mergeMap: defineFunction(
    ['map[string]interface {}', 'map[string]interface {}', '...func(*mergo.Config)'],
    'map[string]interface {}',
    (context, target, source) => mergeMaps(context, target, source, { overwrites: false }),
  ),
  mergeMapWithOverride: defineFunction(
    ['map[string]interface {}', 'map[string]interface {}'],
    'map[string]interface {}',
    (context, target, source) => mergeMaps(context, target, source, { overwrites: true }),
  ),
  loop: defineFunction(['...any'], '<-chan int64', (_context, ...bounds) =>
    loop(bounds as readonly Opened[]),
  ),
};

/**
 * `answer` when every item of the first list has gone through, its contrary as soon as one is (or with `inverted`:
 * is not) in the second.
 */
function containsSome(answer: boolean, inverted: boolean) {
  return defineFunction(['[]interface {}', 'any'], 'bool', (context, wanted, list) => {
    const isSettled = wanted.items.some(
      (item) => isIn(context, list as Opened, openInterface(item)) !== inverted,
    );
    return isSettled ? !answer : answer;
  });
}

/** Equal kinds only: an int is not in a list of floats, and bools and maps are in none. */
function isIn(context: CallContext, list: Opened, value: Opened): boolean {
  if (list instanceof SliceValue) {
    context.spend(list.items.length >> 4);
    return list.items.some((item) => isSame(openInterface(item), value));
  }
  const text = stringOf(list);
  const part = stringOf(value);
  if (text === null) return false;
  if (value === null) throw callError`reflect: call of reflect.Value.Type on zero Value`;
  return part !== null && typeOf(list) === typeOf(value) && indexOfText(text, part) >= 0;
}

function isSame(item: Opened, value: Opened): boolean {
  const whole = integerOf(item);
  if (whole !== null) return isSigned(typeOf(item)?.kind ?? 'int') && signedOf(value) === whole;
  if (typeof item === 'number') return item === value;
  const text = stringOf(item);
  if (text === null) return false;
  if (value === null) throw callError`reflect: call of reflect.Value.Type on zero Value`;
  return typeOf(item) === typeOf(value) && text === stringOf(value);
}

function signedOf(value: Opened): bigint | null {
  return isSigned(typeOf(value)?.kind ?? 'string') ? integerOf(value) : null;
}

/** `a/b` becomes b in a. Sorted first, so that a conflict is found in the same place each time. */
function explodeMap(context: CallContext, map: MapValue): MapValue {
  const out = anyMap([]);
  for (const [key, value] of map.entries()) explode(context, out, String(key), value as Opened);
  return out;
}

function explode(context: CallContext, out: MapValue, path: string, value: Opened): void {
  const parts = path.split('/');
  context.spend(parts.length);
  const last = parts.pop() ?? '';
  let into = out;
  let shown = path;
  for (const [index, part] of parts.entries()) {
    if (!into.has(part)) into.set(part, anyMap([]));
    const next = openInterface(into.get(part) ?? null);
    if (!(next instanceof MapValue && next.type === out.type)) {
      throw callError`explodeMap: not a map: ${quoted(shown)}: ${quoted(part)} already has value ${quotedValue(context, next)}`;
    }
    into = next;
    shown = index === 0 ? path : shown.slice(shown.indexOf('/') + 1);
  }
  if (last !== '') into.set(last, value);
}

function quotedValue(context: CallContext, value: Opened): ErrorPart {
  return shownAs(sprintf(context, '%v', [value]), sprintf(context, '%q', [value]));
}

/** A channel of int64 from 0 or the first bound up to, without, the last. Costs nothing until it is read. */
function loop(bounds: readonly Opened[]): ChannelValue {
  if (bounds.length < 1 || bounds.length > 2) {
    throw callError`loop: wrong number of arguments, expected 1 or 2, but got ${plain(bounds.length)}`;
  }
  const start = bounds.length === 2 ? loopBound(bounds[0] ?? null) : 0n;
  const stop = loopBound(bounds.at(-1) ?? null);
  return new ChannelValue(typeOfName('<-chan int64'), count(start, stop));
}

function loopBound(bound: Opened): bigint {
  const whole = integerOf(bound);
  if (whole !== null) return BigInt.asIntN(64, whole);
  const text = stringOf(bound);
  if (text !== null) return parseInt64(text);
  throw callError`loop: bad argument type: ${plain(typeName(bound))}`;
}

function* count(start: bigint, stop: bigint): Generator<Opened> {
  for (let i = start; i < stop; i++) yield integer(int64, i) as Opened;
}
