// Pipelines, commands and operands to values, as the eval functions of Go's text/template. Statements are exec.ts's.
// Recursion here is bounded by how deep parentheses may nest.

import { type CommandNode, type Node, nodeText, type Operand, type PipeNode } from '../parse/node.ts';
import { quoteString } from '../text/quote.ts';
import { reflectValueType, type Type } from '../value/type.ts';
import {
  asStatic,
  indirect,
  isTrue,
  MapValue,
  type Opened,
  openInterface,
  PointerValue,
  SliceValue,
  StructValue,
  typeName,
  typeOf,
  type Value,
  zeroOf,
} from '../value/value.ts';
import { constantArgument, idealConstant, nilArgument, validateType } from './argument.ts';
import { builtins } from './builtins.ts';
import { callError, plain, type TemplateFunction } from './function-table.ts';
import { fieldHint, nearestFieldHint, nearestMemberHint } from './hint.ts';
import { fail, failAfter, guarded, pushVariable, type State, setVariable, variable, warn } from './state.ts';

/** What a call looks at before it is worth a step of its own. */
const cheapBytes = 256;
/** An item of a list or map costs as much as this many bytes. */
const bytesAnItem = 16;

/** The piped-in value; undefined where there is none. */
type Final = Value | undefined;

/** The value of a pipeline, opened. Its variables are declared or assigned. */
export function evalPipeline(s: State, dot: Value, pipe: PipeNode): Opened {
  s.node = pipe;
  let value: Final;
  for (const command of pipe.commands) value = openInterface(evalCommand(s, dot, command, value));
  const result = openInterface(value ?? null);
  for (const { idents } of pipe.variables) {
    if (pipe.isAssign) setVariable(s, idents[0] ?? '', result);
    else pushVariable(s, idents[0] ?? '', result);
  }
  return result;
}

function evalCommand(s: State, dot: Value, command: CommandNode, final: Final): Value {
  const { args } = command;
  const first = args[0] as Operand;
  switch (first.kind) {
    case 'field':
      s.node = first;
      return evalFieldChain(s, dot, dot, first, '', first.idents, args, final);
    case 'chain':
      return evalChain(s, dot, first, args, final);
    case 'identifier':
      return evalFunction(s, dot, first, command, args, final);
    case 'pipe':
      refuseArguments(s, args, final);
      return evalPipeline(s, dot, first);
    case 'variable':
      return evalVariable(s, dot, first, args, final);
  }
  s.node = first;
  refuseArguments(s, args, final);
  return first.kind === 'nil' ? fail(s, 'nil is not a command') : literal(s, dot, first);
}

function refuseArguments(s: State, args: readonly Operand[], final: Final): void {
  if (args.length > 1 || final !== undefined) {
    fail(s, `can't give argument to non-function ${nodeText(args[0] as Operand)}`);
  }
}

function literal(s: State, dot: Value, node: Operand): Value {
  switch (node.kind) {
    case 'bool':
      return node.value;
    case 'string':
      return node.text;
    case 'number':
      return idealConstant(s, node);
    case 'dot':
      return dot;
    default:
      return fail(s, `can't evaluate command ${quoteString(nodeText(node))}`);
  }
}

function evalVariable(
  s: State,
  dot: Value,
  node: Operand & { kind: 'variable' },
  args: readonly Operand[],
  final: Final,
): Value {
  s.node = node;
  const [name = '', ...fields] = node.idents;
  const value = variable(s, name);
  if (fields.length > 0) return evalFieldChain(s, dot, value, node, name, fields, args, final);
  refuseArguments(s, args, final);
  return value;
}

function evalChain(
  s: State,
  dot: Value,
  node: Operand & { kind: 'chain' },
  args: readonly Operand[],
  final: Final,
): Value {
  s.node = node;
  if (node.node.kind === 'nil') fail(s, `indirection through explicit nil in ${nodeText(node)}`);
  const receiver = evalArgument(s, dot, null, node.node);
  const text = node.node.kind === 'pipe' ? `(${nodeText(node.node)})` : nodeText(node.node);
  return evalFieldChain(s, dot, receiver, node, text, node.fields, args, final);
}

/** Fields one after another; the last one gets the arguments, if it is a method. `text` is the receiver's, for hints. */
function evalFieldChain(
  s: State,
  dot: Value,
  receiver: Value,
  node: Operand,
  text: string,
  idents: readonly string[],
  args: readonly Operand[],
  final: Final,
): Value {
  const field: FieldAccess = { node, text, idents, index: 0, parent: null, args: [], final: undefined };
  const last = idents.length - 1;
  let value = receiver;
  for (; field.index <= last; field.index++) {
    if (field.index === last) {
      field.args = args;
      field.final = final;
    }
    const next = evalField(s, dot, value, field);
    field.parent = value;
    value = next;
  }
  return value;
}

/** The field of a chain that is being looked up. */
interface FieldAccess {
  readonly node: Operand;
  readonly text: string;
  readonly idents: readonly string[];
  index: number;
  /** What the receiver is an entry of; nil at the start of the chain. */
  parent: Value;
  /** With the field itself as the first one; empty for none. */
  args: readonly Operand[];
  final: Final;
}

function evalField(s: State, dot: Value, receiver: Value, field: FieldAccess): Value {
  const name = field.idents[field.index] ?? '';
  if (receiver === null) {
    if (s.isMissingKeyError) fail(s, `nil data; no entry for key ${quoteString(name)}`);
    return null;
  }
  const staticType = typeName(receiver);
  const opened = openInterface(receiver);
  if (opened === null) return fail(s, `nil pointer evaluating ${staticType}.${name}`, nilHint(field));
  const method = typeOf(opened)?.methods.get(name);
  if (method !== undefined) {
    const { node, args, final } = field;
    return evalCall(s, dot, { fn: method, name, receiver: opened, node, args, final });
  }
  const target = indirect(opened);
  const hasArguments = field.args.length > 1 || field.final !== undefined;
  if (target instanceof StructValue) {
    const found = structField(target, name);
    if (found !== undefined && hasArguments)
      fail(s, `${name} has arguments but cannot be invoked as function`);
    if (found !== undefined) return found;
  } else if (
    target instanceof MapValue &&
    (target.type.key?.kind === 'string' || target.type.key?.kind === 'interface')
  ) {
    if (hasArguments) fail(s, `${name} is not a method but has arguments`);
    return mapEntry(s, target, field, name);
  } else if (target === null && opened instanceof PointerValue) {
    const fields = opened.type.elem?.fields ?? [];
    if (fields.some((known) => known.name === name)) fail(s, `nil pointer evaluating ${staticType}.${name}`);
  }
  return fail(
    s,
    `can't evaluate field ${name} in type ${staticType}`,
    memberHint(opened, name) ?? dotHint(field),
  );
}

function memberHint(value: Opened, name: string): string | undefined {
  const type = typeOf(value);
  const target = type?.kind === 'ptr' ? type.elem : type;
  return target ? (nearestMemberHint(target, name) ?? undefined) : undefined;
}

/** A chain that begins at the dot, which has no fields at all. */
function dotHint({ text, index }: FieldAccess): string | undefined {
  const isDot = text === '' && index === 0;
  return isDot ? 'within range and with the dot is another: keep what you need in a variable' : undefined;
}

function structField(struct: StructValue, name: string): Value | undefined {
  const index = struct.type.fields.findIndex((field) => field.name === name);
  if (index < 0) return undefined;
  return asStatic(struct.values[index] ?? null, struct.type.fields[index]?.type ?? null);
}

function mapEntry(s: State, map: MapValue, field: FieldAccess, name: string): Value {
  const value = map.get(name);
  if (value !== undefined) return asStatic(value, map.type.elem);
  const before = [field.text, ...field.idents.slice(0, field.index)].join('.');
  const missing = { before, idents: field.idents.slice(field.index), map };
  const hint = fieldHint(missing);
  if (s.isMissingKeyError) {
    const remedy = hint ?? nearestFieldHint(missing) ?? undefined;
    fail(s, `map has no entry for key ${quoteString(name)}`, remedy);
  }
  if (hint === null) s.absent = { node: field.node, field: missing };
  else warn(s, field.node, () => `map has no entry for key ${quoteString(name)}; ${hint}`);
  return map.type.elem === null ? null : zeroOf(map.type.elem);
}

/** A nil on the way: where it came from tells what was meant. */
function nilHint({ text, idents, index, parent }: FieldAccess): string | undefined {
  const map = indirect(parent);
  if (!(map instanceof MapValue)) return undefined;
  const missing = {
    before: [text, ...idents.slice(0, index - 1)].join('.'),
    idents: idents.slice(index - 1),
    map,
  };
  return fieldHint(missing) ?? nearestFieldHint(missing) ?? undefined;
}

function evalFunction(
  s: State,
  dot: Value,
  node: Operand & { kind: 'identifier' },
  command: Node,
  args: readonly Operand[],
  final: Final,
): Value {
  s.node = node;
  const { name } = node;
  const fn = s.program.functions.get(name) ?? fail(s, `${quoteString(name)} is not a defined function`);
  return evalCall(s, dot, { fn, name, receiver: undefined, node: command, args, final });
}

interface Call {
  readonly fn: TemplateFunction;
  readonly name: string;
  /** Of a method. */
  readonly receiver: Opened | undefined;
  /** What an error of the function is about. */
  readonly node: Node;
  /** With the function itself as the first one; empty for none. */
  readonly args: readonly Operand[];
  readonly final: Final;
}

function evalCall(s: State, dot: Value, call: Call): Value {
  const { fn, name, args, final } = call;
  const count = Math.max(0, args.length - 1);
  checkCount(s, fn, name, count, final);
  if (fn === builtins['and'] || fn === builtins['or'])
    return shortCircuit(s, dot, fn === builtins['or'], call);
  const values: Value[] = call.receiver === undefined ? [] : [call.receiver];
  for (let i = 0; i < count; i++) {
    values.push(evalArgument(s, dot, parameterType(fn, i), args[i + 1] as Operand));
  }
  if (final !== undefined) values.push(validateType(s, final, parameterType(fn, count)));
  if (fn === builtins['call']) return callValue(s, call, values[0] ?? null);
  let result: Value;
  try {
    chargeInput(s, values);
    result = fn.call(s.context, values);
    charge(s, result);
  } catch (error) {
    return failAfter(s, call.node, `error calling ${name}: `, error);
  }
  return fn.result === reflectValueType ? result : asStatic(result, fn.result);
}

/** So does what goes in, with texts in lists: a call costs what it works on, whatever it gives back. */
function chargeInput(s: State, values: readonly Value[]): void {
  let bytes = 0;
  for (const value of values) {
    const opened = openInterface(value);
    if (typeof opened === 'string') bytes += opened.length;
    else if (opened instanceof SliceValue) bytes += opened.items.length * bytesAnItem;
    else if (opened instanceof MapValue) bytes += opened.size * bytesAnItem;
  }
  if (bytes >= cheapBytes) s.context.workOn(bytes);
}

/** What comes back costs its size. */
function charge(s: State, value: Value): void {
  if (typeof value === 'string') s.context.claim(value.length);
  const items = value instanceof SliceValue ? value.items.length : value instanceof MapValue ? value.size : 0;
  s.context.spend(1 + items);
}

function checkCount(s: State, fn: TemplateFunction, name: string, count: number, final: Final): void {
  const wanted = fn.parameters.length;
  const got = count + (final === undefined ? 0 : 1);
  if (fn.isVariadic) {
    if (got < wanted - 1)
      fail(s, `wrong number of args for ${name}: want at least ${wanted - 1} got ${count}`);
  } else if (got !== wanted) {
    fail(s, `wrong number of args for ${name}: want ${wanted} got ${got}`);
  }
}

function parameterType(fn: TemplateFunction, index: number): Type {
  return fn.parameters[Math.min(index, fn.parameters.length - 1)] as Type;
}

/** `and` and `or` stop at the first value that decides, and give it back. */
function shortCircuit(s: State, dot: Value, isOr: boolean, { args, final }: Call): Value {
  let value: Value = null;
  for (let i = 1; i < args.length; i++) {
    value = evalArgument(s, dot, reflectValueType, args[i] as Operand);
    if (isTrue(value) === isOr) return value;
  }
  return final === undefined ? value : final;
}

/** The builtin `call`: no value that a template can get is a function. */
function callValue(s: State, { args, final, node }: Call, value: Value): never {
  const opened = openInterface(value);
  const [, callee] = args;
  return guarded(s, node, 'error calling call: ', () => {
    if (opened === null) throw callError`call of nil`;
    const name = callee === undefined ? finalText(final) : plain(nodeText(callee));
    throw callError`non-function ${name} of type ${plain(typeName(opened))}`;
  });
}

function finalText(final: Final): string {
  return typeof final === 'string' ? final : `<${typeName(final ?? null)} Value>`;
}

/** An operand as an argument of the type; null: of any. */
function evalArgument(s: State, dot: Value, type: Type | null, node: Operand): Value {
  s.node = node;
  switch (node.kind) {
    case 'dot':
      return validateType(s, dot, type);
    case 'nil':
      return nilArgument(s, type ?? reflectValueType);
    case 'field':
      return validateType(s, evalFieldChain(s, dot, dot, node, '', node.idents, [node], undefined), type);
    case 'variable':
      return validateType(s, evalVariable(s, dot, node, [], undefined), type);
    case 'pipe':
      return validateType(s, evalPipeline(s, dot, node), type);
    case 'identifier':
      return validateType(s, evalFunction(s, dot, node, node, [], undefined), type);
    case 'chain':
      return validateType(s, evalChain(s, dot, node, [], undefined), type);
  }
  if (type === null || type.kind === 'interface' || type === reflectValueType) return literal(s, dot, node);
  return constantArgument(s, node, type);
}
