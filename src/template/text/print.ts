// Go's fmt: which form a value takes under a verb (printArg, printValue), and Sprint, Sprintln. The format string is
// printf.ts's matter, flags and padding are format.ts's.
import { JsonNumber } from '../../base/text/json.ts';
import { type CallContext, callError, plain } from '../exec/function-table.ts';
import { canBeNil, isUnsigned, type Type } from '../value/type.ts';
import {
  ChannelValue,
  ComplexValue,
  IntegerValue,
  indirect,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  stringOf,
  typeName,
  typeOf,
  type Value,
} from '../value/value.ts';
import { encodeRune } from './bytes.ts';
import type { FloatVerb } from './float-format.ts';
import {
  createFormatState,
  type FormatState,
  formatCharacter,
  formatFloatVerb,
  formatHexString,
  formatInteger,
  formatQuoted,
  formatQuotedCharacter,
  formatString,
  formatUnicode,
  pad,
  write,
} from './format.ts';

/** Stands for addresses, which differ from run to run in Go. */
const someAddress = 0xc000010000n;

/** As fmt.Sprint: a space between two operands that are both no strings. */
export function sprint(context: CallContext, values: readonly Value[]): string {
  const [only] = values;
  if (values.length === 1 && typeof only === 'string') return only;
  const state = createFormatState(context);
  let wasString = false;
  values.forEach((value, index) => {
    const opened = openInterface(value);
    const isString = stringOf(opened) !== null;
    if (index > 0 && !isString && !wasString) write(state, ' ');
    printArg(state, opened, 'v');
    wasString = isString;
  });
  return state.out;
}

/** As fmt.Sprintln: spaces between all operands and a new line at the end. */
export function sprintln(context: CallContext, values: readonly Value[]): string {
  const state = createFormatState(context);
  values.forEach((value, index) => {
    if (index > 0) write(state, ' ');
    printArg(state, openInterface(value), 'v');
  });
  write(state, '\n');
  return state.out;
}

/** What an action prints for a value: a pointer's target, `<no value>` for nil. */
export function printable(value: Value): Opened {
  const opened = openInterface(value);
  if (opened === null) return '<no value>';
  return opened instanceof PointerValue && opened.target !== null ? opened.target : opened;
}

/** One operand under one verb (a single character, UTF-16). */
export function printArg(state: FormatState, value: Opened, verb: string): void {
  if (value === null) {
    if (verb === 'T' || verb === 'v') pad(state, '<nil>');
    else badVerb(state, null, verb);
    return;
  }
  if (verb === 'T') formatString(state, typeName(value));
  else if (verb === 'p') printPointer(state, value, verb);
  else if (!callStringMethod(state, value, verb)) printKind(state, value, verb, 0);
}

/** A value inside another one; `staticType` is what its container says of it. */
function printElement(
  state: FormatState,
  value: Value,
  staticType: Type | null,
  verb: string,
  depth: number,
): void {
  const { valueDepth } = state.context.limits;
  if (depth > valueDepth) throw callError`value is nested deeper than ${plain(valueDepth)}`;
  state.context.spend(1);
  const opened = openInterface(value);
  if (opened === null) {
    const isTyped = state.sharpV && staticType?.kind === 'interface';
    write(state, isTyped ? `${staticType.name}(nil)` : '<nil>');
  } else if (!callStringMethod(state, opened, verb)) {
    printKind(state, opened, verb, depth);
  }
}

/** %!verb(type=value) */
function badVerb(state: FormatState, value: Opened, verb: string): void {
  state.isErroring = true;
  write(state, `%!${encodeVerb(verb)}(`);
  if (value === null) {
    write(state, '<nil>');
  } else {
    write(state, `${typeName(value)}=`);
    printArg(state, value, 'v');
  }
  write(state, ')');
  state.isErroring = false;
}

export function encodeVerb(verb: string): string {
  return encodeRune(verb.codePointAt(0) ?? 0xfffd);
}

/** Types with a String method print what it gives, where a string is acceptable. */
function callStringMethod(state: FormatState, value: Opened, verb: string): boolean {
  if (state.isErroring || typeof value !== 'object' || value === null) return false;
  if (verb === 'w') {
    // Errors alone may be wrapped: the value as a whole is refused, whatever is in it.
    badVerb(state, value, verb);
    return true;
  }
  if (state.sharpV || !'vsxXq'.includes(verb)) return false;
  const method = typeOf(value)?.methods.get('String');
  if (method === undefined || method.parameters.length > 0) return false;
  if (value instanceof PointerValue && value.target === null) write(state, '<nil>');
  else printString(state, stringOf(openInterface(method.call(state.context, [value]))) ?? '', value, verb);
  return true;
}

function printKind(state: FormatState, value: Exclude<Opened, null>, verb: string, depth: number): void {
  switch (typeof value) {
    case 'string':
      printString(state, value, value, verb);
      return;
    case 'bigint':
      printInteger(state, value, value, verb);
      return;
    case 'number':
      printFloat(state, value, value, verb);
      return;
    case 'boolean':
      if (verb === 't' || verb === 'v') pad(state, String(value));
      else badVerb(state, value, verb);
      return;
  }
  if (value instanceof JsonNumber) printString(state, value.text, value, verb);
  else if (value instanceof IntegerValue) printInteger(state, value.value, value, verb);
  else if (value instanceof ComplexValue) printComplex(state, value, verb);
  else if (value instanceof MapValue) printMap(state, value, verb, depth);
  else if (value instanceof SliceValue) printSlice(state, value, verb, depth);
  else if (value instanceof StructValue) printStruct(state, value, verb, depth);
  else if (value instanceof PointerValue && value.target !== null && depth === 0) {
    write(state, '&');
    printElement(state, value.target, null, verb, depth + 1);
  } else printPointer(state, value, verb);
}

function printString(state: FormatState, text: string, value: Opened, verb: string): void {
  switch (verb) {
    case 'v':
      if (state.sharpV) formatQuoted(state, text);
      else formatString(state, text);
      return;
    case 's':
      formatString(state, text);
      return;
    case 'x':
    case 'X':
      formatHexString(state, text, verb === 'X');
      return;
    case 'q':
      formatQuoted(state, text);
      return;
    default:
      badVerb(state, value, verb);
      return;
  }
}

function printInteger(state: FormatState, number: bigint, value: Opened, verb: string): void {
  switch (verb) {
    case 'v':
      if (state.sharpV && isUnsigned(typeOf(value)?.kind ?? 'int')) printHexNumber(state, number, true);
      else formatInteger(state, number, 10, verb);
      return;
    case 'd':
      formatInteger(state, number, 10, verb);
      return;
    case 'b':
      formatInteger(state, number, 2, verb);
      return;
    case 'o':
    case 'O':
      formatInteger(state, number, 8, verb);
      return;
    case 'x':
    case 'X':
      formatInteger(state, number, 16, verb, verb === 'X');
      return;
    case 'c':
      formatCharacter(state, number);
      return;
    case 'q':
      formatQuotedCharacter(state, number);
      return;
    case 'U':
      formatUnicode(state, number);
      return;
    default:
      badVerb(state, value, verb);
      return;
  }
}

function printHexNumber(state: FormatState, number: bigint, hasPrefix: boolean): void {
  const { sharp } = state;
  state.sharp = hasPrefix;
  formatInteger(state, number, 16, 'v');
  state.sharp = sharp;
}

function printFloat(state: FormatState, number: number, value: Opened, verb: string): void {
  switch (verb) {
    case 'v':
      formatFloatVerb(state, number, 'g', -1);
      return;
    case 'b':
    case 'g':
    case 'G':
    case 'x':
    case 'X':
      formatFloatVerb(state, number, verb, -1);
      return;
    case 'f':
    case 'e':
    case 'E':
      formatFloatVerb(state, number, verb, 6);
      return;
    case 'F':
      formatFloatVerb(state, number, 'f', 6);
      return;
    default:
      badVerb(state, value, verb);
      return;
  }
}

/** (r+ji), both parts under the same verb and flags. */
function printComplex(state: FormatState, value: ComplexValue, verb: string): void {
  if (!'vbgGxXfFeE'.includes(verb)) {
    badVerb(state, value, verb);
    return;
  }
  const { plus } = state;
  write(state, '(');
  printFloat(state, value.real, value, verb as FloatVerb);
  state.plus = true;
  printFloat(state, value.imaginary, value, verb as FloatVerb);
  write(state, 'i)');
  state.plus = plus;
}

function printMap(state: FormatState, map: MapValue, verb: string, depth: number): void {
  if (state.sharpV && map.isNil) {
    write(state, `${map.type.name}(nil)`);
    return;
  }
  write(state, state.sharpV ? `${map.type.name}{` : 'map[');
  let isFirst = true;
  for (const [key, value] of map.entries()) {
    if (!isFirst) write(state, separator(state));
    isFirst = false;
    printElement(state, key, map.type.key, verb, depth + 1);
    write(state, ':');
    printElement(state, value, map.type.elem, verb, depth + 1);
  }
  write(state, state.sharpV ? '}' : ']');
}

function printSlice(state: FormatState, slice: SliceValue, verb: string, depth: number): void {
  if (slice.type.elem?.kind === 'uint8' && printBytes(state, slice, verb)) return;
  if (state.sharpV && slice.isNil) {
    write(state, `${slice.type.name}(nil)`);
    return;
  }
  write(state, state.sharpV ? `${slice.type.name}{` : '[');
  slice.items.forEach((item, index) => {
    if (index > 0) write(state, separator(state));
    printElement(state, item, slice.type.elem, verb, depth + 1);
  });
  write(state, state.sharpV ? '}' : ']');
}

/** Under these verbs bytes are a string. */
function printBytes(state: FormatState, slice: SliceValue, verb: string): boolean {
  if (!'sqxX'.includes(verb)) return false;
  const bytes = slice.items.map((item) => (item instanceof IntegerValue ? Number(item.value) : 0));
  printString(state, String.fromCharCode(...bytes), slice, verb);
  return true;
}

function printStruct(state: FormatState, struct: StructValue, verb: string, depth: number): void {
  write(state, state.sharpV ? `${struct.type.name}{` : '{');
  struct.type.fields.forEach((field, index) => {
    if (index > 0) write(state, separator(state));
    if (state.plusV || state.sharpV) write(state, `${field.name}:`);
    printElement(state, struct.values[index] ?? null, field.type, verb, depth + 1);
  });
  write(state, '}');
}

function separator(state: FormatState): string {
  return state.sharpV ? ', ' : ' ';
}

function printPointer(state: FormatState, value: Exclude<Opened, null>, verb: string): void {
  const type = typeOf(value);
  if (type === null || !canBeNil(type) || type.kind === 'interface') {
    badVerb(state, value, verb);
    return;
  }
  const address = isNilOf(value) ? 0n : someAddress;
  if (verb === 'v' && state.sharpV) {
    write(state, `(${type.name})(`);
    if (address === 0n) write(state, 'nil');
    else printHexNumber(state, address, true);
    write(state, ')');
  } else if (verb === 'v' && address === 0n) pad(state, '<nil>');
  else if (verb === 'v' || verb === 'p') printHexNumber(state, address, !state.sharp);
  else if ('bodxX'.includes(verb)) printInteger(state, address, address, verb);
  else badVerb(state, value, verb);
}

function isNilOf(value: Opened): boolean {
  if (value instanceof MapValue || value instanceof SliceValue) return value.isNil;
  return !(value instanceof ChannelValue) && indirect(value) === null;
}
