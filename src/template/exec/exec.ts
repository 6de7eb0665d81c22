// Statements, as the walk functions of Go's text/template. Blocks and templates within each other are frames on a list,
// never calls on the host's stack, so that a template may call itself as deep as Go allows.

import {
  type ActionNode,
  type BranchNode,
  type ListNode,
  nodeText,
  type Statement,
  type TemplateNode,
} from '../parse/node.ts';
import { TemplateError } from '../template-error.ts';
import { printable, sprint } from '../text/print.ts';
import { quoteString } from '../text/quote.ts';
import {
  ChannelValue,
  indirect,
  integerOf,
  isTrue,
  MapValue,
  type Opened,
  typeName,
  type Value,
} from '../value/value.ts';
import { evalPipeline } from './evaluate.ts';
import { callError } from './function-table.ts';
import { nearestFieldHint } from './hint.ts';
import { type Pairs, pairsOf } from './iterate.ts';
import {
  fail,
  failWith,
  guarded,
  newScope,
  popVariables,
  pushVariable,
  type Scope,
  type State,
  setVariable,
  spend,
  warn,
} from './state.ts';

/** Where the rendered bytes go, and the first failure of an execution that went on for the sake of what is missing. */
export interface Output {
  text: string;
  failure: TemplateError | null;
}

/** A list of statements being executed. */
interface Frame {
  readonly list: ListNode;
  next: number;
  dot: Value;
  /** The number of variables to go back to at the end. */
  readonly mark: number;
  /** Of a range's body: what is left to go over, and the number of variables to go back to for each. */
  readonly range: { readonly node: BranchNode; readonly pairs: Pairs; readonly bodyMark: number } | null;
  /** Of a template's body: who called. */
  readonly caller: { readonly templateName: string; readonly scope: Scope } | null;
}

interface Machine {
  readonly s: State;
  readonly output: Output;
  readonly frames: Frame[];
  /** Templates that are being executed within each other. */
  depth: number;
}

/**
 * Executes a list with this dot. A failure is thrown, unless something is missing: then it is kept in `output`, its
 * statement is skipped, and the rest is executed to find out what else is missing.
 */
export function execute(s: State, list: ListNode, dot: Value, output: Output): void {
  const m: Machine = { s, output, frames: [], depth: 0 };
  pushFrame(m, list, dot, s.scope.names.length);
  for (let frame = m.frames.at(-1); frame !== undefined; frame = m.frames.at(-1)) {
    try {
      const node = frame.list.nodes[frame.next++];
      if (node === undefined) finish(m, frame);
      else walk(m, frame, node);
    } catch (error) {
      keepFailure(m, error);
    }
  }
}

/** To throw and to catch takes as long as this many other steps. */
const stepsAFailure = 64;

function keepFailure({ s, output }: Machine, error: unknown): void {
  if (!(error instanceof TemplateError) || !s.context.isIncomplete() || s.context.isExhausted()) throw error;
  output.failure ??= error;
  s.context.hasFailed = true;
  spend(s, stepsAFailure);
}

function pushFrame(m: Machine, list: ListNode, dot: Value, mark: number): void {
  m.frames.push({ list, next: 0, dot, mark, range: null, caller: null });
}

function walk(m: Machine, frame: Frame, node: Statement): void {
  if (node.kind === 'text') {
    write(m, node.text);
    return;
  }
  spend(m.s, 1);
  switch (node.kind) {
    case 'action':
      walkAction(m, frame.dot, node);
      return;
    case 'if':
    case 'with':
      walkIfOrWith(m, frame.dot, node);
      return;
    case 'range':
      walkRange(m, frame.dot, node);
      return;
    case 'template':
      walkTemplate(m, frame.dot, node);
      return;
    case 'break':
      unwind(m);
      endFrame(m);
      return;
    case 'continue':
      finish(m, unwind(m));
  }
}

function write({ s, output }: Machine, text: string): void {
  const { outputBytes } = s.context.limits;
  if (output.text.length + text.length > outputBytes) fail(s, `output is longer than ${outputBytes} bytes`);
  output.text += text;
}

/** A statement list is done: the next turn of its range, or back to where it was called from. */
function finish(m: Machine, frame: Frame): void {
  if (frame.range !== null && nextTurn(m, frame, frame.range)) return;
  endFrame(m);
}

function endFrame(m: Machine): void {
  const frame = m.frames.pop();
  if (frame === undefined) return;
  if (frame.caller === null) {
    popVariables(m.s, frame.mark);
  } else {
    m.s.templateName = frame.caller.templateName;
    m.s.scope = frame.caller.scope;
    m.depth--;
  }
}

/** Leaves everything inside the innermost range; its frame becomes the last one. */
function unwind(m: Machine): Frame {
  for (;;) {
    const frame = m.frames.at(-1);
    if (frame === undefined) return fail(m.s, 'break outside range');
    if (frame.range !== null) return frame;
    endFrame(m);
  }
}

function walkAction(m: Machine, dot: Value, node: ActionNode): void {
  const { s } = m;
  const { variables, isAssign } = node.pipe;
  s.node = node;
  if (variables.length > 0) {
    try {
      evalPipeline(s, dot, node.pipe);
    } catch (error) {
      // What comes after may use the variable all the same.
      keepFailure(m, error);
      if (!isAssign) for (const { idents } of variables) pushVariable(s, idents[0] ?? '', null);
    }
    return;
  }
  s.absent = null;
  const value = evalPipeline(s, dot, node.pipe);
  s.node = node;
  if (value === null && s.absent !== null) warnOfNoValue(s, s.absent);
  printValue(m, node, value);
}

/** Nobody wants `<no value>` in a file. */
function warnOfNoValue(s: State, { node, field }: NonNullable<State['absent']>): void {
  warn(s, node, () => {
    const hint = nearestFieldHint(field);
    const remedy = hint === null ? '' : `; ${hint}`;
    return `prints <no value>: map has no entry for key ${quoteString(field.idents[0] ?? '')}${remedy}`;
  });
}

function printValue(m: Machine, node: ActionNode, value: Opened): void {
  const { s } = m;
  const shown = printable(value);
  if (typeof shown === 'string') {
    write(m, shown);
  } else if (shown instanceof ChannelValue) {
    failWith(
      s,
      callError`can't print ${{ plain: nodeText(node) }} of type ${{ plain: typeName(value) }}`.parts,
    );
  } else {
    write(
      m,
      guarded(s, node, '', () => sprint(s.context, [shown])),
    );
  }
}

function walkIfOrWith(m: Machine, dot: Value, node: BranchNode): void {
  const { s } = m;
  const mark = s.scope.names.length;
  const value = evalPipeline(s, dot, node.pipe);
  if (isTrue(value)) pushFrame(m, node.list, node.kind === 'with' ? value : dot, mark);
  else if (node.elseList !== null) pushFrame(m, node.elseList, dot, mark);
  else popVariables(s, mark);
}

function walkRange(m: Machine, dot: Value, node: BranchNode): void {
  const { s } = m;
  const mark = s.scope.names.length;
  const given = evalPipeline(s, dot, node.pipe);
  // A typed nil is no empty collection.
  const value = indirect(given) ?? given;
  const shown = (): string => sprint(s.context, [value]);
  if (integerOf(value) !== null && node.pipe.variables.length > 1) {
    failWith(s, callError`can't use ${shown()} to iterate over more than one variable`.parts);
  }
  // It is gone through in the order of its keys, so that all of it is copied and sorted first.
  if (value instanceof MapValue) spend(s, value.size >> 3);
  const pairs = pairsOf(value);
  if (pairs === null) failWith(s, callError`range can't iterate over ${shown()}`.parts);
  const range = { node, pairs, bodyMark: s.scope.names.length };
  const frame: Frame = { list: node.list, next: 0, dot, mark, range, caller: null };
  m.frames.push(frame);
  if (nextTurn(m, frame, range)) return;
  // The range's variables can be seen in its else.
  m.frames.pop();
  if (node.elseList !== null) pushFrame(m, node.elseList, dot, mark);
  else popVariables(s, mark);
}

/** Sets out for the next element; false when there is none. */
function nextTurn({ s }: Machine, frame: Frame, range: NonNullable<Frame['range']>): boolean {
  popVariables(s, range.bodyMark);
  const { done, value } = range.pairs.next();
  if (done === true) return false;
  spend(s, 1);
  setRangeVariables(s, range.node, value[0], value[1]);
  frame.dot = value[1];
  frame.next = 0;
  return true;
}

/** One variable is the element, two are index and element. */
function setRangeVariables(s: State, node: BranchNode, index: Value, element: Value): void {
  const { variables, isAssign } = node.pipe;
  const values = variables.length > 1 ? [index, element] : [element];
  variables.forEach(({ idents }, at) => {
    const value = values[at] ?? null;
    if (isAssign) setVariable(s, idents[0] ?? '', value);
    else s.scope.values[s.scope.values.length - variables.length + at] = value;
  });
}

function walkTemplate(m: Machine, dot: Value, node: TemplateNode): void {
  const { s } = m;
  s.node = node;
  const list = s.program.lists.get(node.name);
  if (list === undefined) fail(s, `template ${quoteString(node.name)} not defined`);
  const { templateDepth } = s.context.limits;
  if (m.depth >= templateDepth) fail(s, `exceeded maximum template depth (${templateDepth})`);
  const argument = node.pipe === null ? null : evalPipeline(s, dot, node.pipe);
  m.frames.push({
    list,
    next: 0,
    dot: argument,
    mark: 0,
    range: null,
    caller: { templateName: s.templateName, scope: s.scope },
  });
  m.depth++;
  s.templateName = node.name;
  s.scope = newScope(argument);
}
