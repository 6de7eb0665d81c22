// How a value or a constant becomes an argument of a typed parameter: Go's validateType and its constants.

import type { NumberNode, Operand } from '../parse/node.ts';
import { nodeText } from '../parse/node.ts';
import { canBeNil, isSigned, isUnsigned, reflectValueType, type Type } from '../value/type.ts';
import {
  InterfaceValue,
  integer,
  PointerValue,
  typeName,
  typeOf,
  type Value,
  zeroOf,
} from '../value/value.ts';
import { typeHint } from './hint.ts';
import { fail, type State } from './state.ts';

/** The value as one of the type (null: of any), opened unless the type is reflect.Value. */
export function validateType(s: State, value: Value, type: Type | null): Value {
  if (value === null) {
    if (type === null || type === reflectValueType) return null;
    return canBeNil(type) ? opened(zeroOf(type)) : fail(s, `invalid value; expected ${type.name}`);
  }
  if (type === null || type === reflectValueType) return value;
  if (isAssignable(value, type)) return opened(value);
  const inner = opened(value);
  if (inner !== null && isAssignable(inner, type)) return inner;
  if (inner instanceof PointerValue && inner.type.elem === type) {
    return inner.target ?? fail(s, `dereference of nil pointer of type ${type.name}`);
  }
  const got = typeName(inner ?? value);
  return fail(s, `wrong type for value; expected ${type.name}; got ${got}`, typeHint(type.name, got));
}

function isAssignable(value: Value, type: Type): boolean {
  return type.kind === 'interface' || typeOf(value) === type;
}

function opened(value: Value): Value {
  return value instanceof InterfaceValue ? value.value : value;
}

/** `nil` for a parameter of the type. */
export function nilArgument(s: State, type: Type): Value {
  return canBeNil(type) ? opened(zeroOf(type)) : fail(s, `cannot assign nil to ${type.name}`);
}

/** A constant where the parameter's type says what it is. */
export function constantArgument(s: State, node: Operand, type: Type): Value {
  const { kind } = type;
  if (kind === 'bool') return node.kind === 'bool' ? node.value : unfit(s, 'bool', node);
  if (kind === 'string') return node.kind === 'string' ? node.text : unfit(s, 'string', node);
  const number = node.kind === 'number' ? node.number : null;
  if (kind === 'complex128') return number?.complex ?? unfit(s, 'complex', node);
  if (kind === 'float64') return number?.float ?? unfit(s, 'float', node);
  if (isSigned(kind)) return integer(type, number?.int ?? unfit(s, 'integer', node));
  if (isUnsigned(kind)) return integer(type, number?.uint ?? unfit(s, 'unsigned integer', node));
  return fail(s, `can't handle ${nodeText(node)} for arg of type ${type.name}`);
}

function unfit(s: State, expected: string, node: Operand): never {
  return fail(s, `expected ${expected}; found ${nodeText(node)}`);
}

/** A number where nothing says what type it is: its syntax does. */
export function idealConstant(s: State, node: NumberNode): Value {
  s.node = node;
  const { int, uint, float, complex } = node.number;
  if (complex !== null) return complex;
  if (float !== null && isFloatSyntax(node.text)) return float;
  if (int !== null) return int;
  return uint === null ? null : fail(s, `${node.text} overflows int`);
}

function isFloatSyntax(text: string): boolean {
  const isHexInt = /^0[xX]/.test(text) && text.length > 2 && !/[pP]/.test(text);
  return !isHexInt && !text.startsWith("'") && /[.eEpP]/.test(text);
}
