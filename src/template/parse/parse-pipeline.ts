// Pipelines, commands and operands: the part of the parser that is about one action. Statements are parse.ts's.

import { quoteString, unquoteString } from '../text/quote.ts';
import { readConstant } from './constant.ts';
import { type ChainNode, type CommandNode, nodeText, type Operand, type PipeNode } from './node.ts';
import { functionHint, lexicalHint } from './parse-hint.ts';
import type { Item, ItemType } from './scan.ts';
import {
  backup,
  backup2,
  backup3,
  declare,
  enter,
  fail,
  leave,
  next,
  nextNonSpace,
  peek,
  peekNonSpace,
  type Tree,
  unexpected,
} from './tree.ts';

const operandStarts: ReadonlySet<ItemType> = new Set<ItemType>([
  'bool',
  'charConstant',
  'complex',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'rawString',
  'string',
  'variable',
  'leftParen',
]);

/** pipeline: declarations? command ("|" command)* */
export function pipeline(t: Tree, context: string, end: 'rightDelim' | 'rightParen'): PipeNode {
  const pipe: PipeNode = {
    kind: 'pipe',
    pos: peekNonSpace(t).pos,
    isAssign: false,
    variables: [],
    commands: [],
  };
  while (declaration(t, pipe, context)) {
    // A range may declare a second variable.
  }
  for (;;) {
    const token = nextNonSpace(t);
    if (token.type === end) {
      checkPipeline(t, pipe, context);
      return pipe;
    }
    if (!operandStarts.has(token.type)) unexpected(t, token, context);
    backup(t);
    pipe.commands.push(command(t));
  }
}

/** declaration: variable (":=" | "=" | ","); tells whether another one follows. */
function declaration(t: Tree, pipe: PipeNode, context: string): boolean {
  const variable = peekNonSpace(t);
  if (variable.type !== 'variable') return false;
  next(t);
  // A space is a token: in `$x foo` three tokens have to be seen to know that $x is an argument.
  const adjacent = peek(t);
  const after = peekNonSpace(t);
  if (after.type === 'assign' || after.type === 'declare') {
    pipe.isAssign = after.type === 'assign';
    nextNonSpace(t);
    declareIn(t, pipe, variable);
    return false;
  }
  if (after.type === 'char' && after.value === ',') {
    nextNonSpace(t);
    declareIn(t, pipe, variable);
    if (context !== 'range' || pipe.variables.length >= 2) fail(t, `too many declarations in ${context}`);
    const { type } = peekNonSpace(t);
    if (type === 'variable' || type === 'rightDelim' || type === 'rightParen') return true;
    fail(t, 'range can only initialize variables');
  }
  if (adjacent.type === 'space') backup3(t, variable, adjacent);
  else backup2(t, variable);
  return false;
}

function declareIn(t: Tree, pipe: PipeNode, variable: Item): void {
  pipe.variables.push({ kind: 'variable', pos: variable.pos, idents: variable.value.split('.') });
  declare(t, variable.value);
}

const notExecutable: ReadonlySet<Operand['kind']> = new Set<Operand['kind']>([
  'bool',
  'dot',
  'nil',
  'number',
  'string',
]);

function checkPipeline(t: Tree, pipe: PipeNode, context: string): void {
  if (pipe.commands.length === 0) fail(t, `missing value for ${context}`);
  pipe.commands.forEach(({ args: [first] }, index) => {
    if (index > 0 && first !== undefined && notExecutable.has(first.kind)) {
      fail(t, `non executable command in pipeline stage ${index + 1}`);
    }
  });
}

/** command: operand (space operand)*, up to a pipe, which is read, or a right delimiter, which is left. */
function command(t: Tree): CommandNode {
  const node: CommandNode = { kind: 'command', pos: peekNonSpace(t).pos, args: [] };
  for (;;) {
    peekNonSpace(t);
    const arg = operand(t);
    if (arg !== null) node.args.push(arg);
    const token = next(t);
    if (token.type === 'space') continue;
    if (token.type === 'rightDelim' || token.type === 'rightParen') backup(t);
    else if (token.type !== 'pipe') unexpected(t, token, 'operand');
    if (node.args.length === 0) fail(t, 'empty command');
    return node;
  }
}

/** operand: term field*; null when the next item is none. */
function operand(t: Tree): Operand | null {
  const node = term(t);
  if (node === null || peek(t).type !== 'field') return node;
  const { pos } = peek(t);
  const fields: string[] = [];
  while (peek(t).type === 'field') fields.push(next(t).value.slice(1));
  switch (node.kind) {
    case 'field':
    case 'variable':
      return { kind: node.kind, pos, idents: [...node.idents, ...fields] };
    case 'bool':
    case 'string':
    case 'number':
    case 'nil':
    case 'dot':
      return fail(t, `unexpected . after term ${quoteString(nodeText(node))}`);
  }
  const chain: ChainNode = { kind: 'chain', pos, node, fields };
  return chain;
}

/** term: literal | function | "." | field | variable | "(" pipeline ")"; null when the next item is none. */
function term(t: Tree): Operand | null {
  const token = nextNonSpace(t);
  const { pos, value } = token;
  switch (token.type) {
    case 'identifier':
      return identifier(t, token);
    case 'dot':
    case 'nil':
      return { kind: token.type, pos };
    case 'variable':
      if ((t.declared.get(value) ?? 0) === 0) {
        const hint = t.declared.has(value) ? 'it is declared in a block that has ended' : undefined;
        fail(t, `undefined variable ${quoteString(value)}`, hint);
      }
      return { kind: 'variable', pos, idents: [value] };
    case 'field':
      return { kind: 'field', pos, idents: [value.slice(1)] };
    case 'bool':
      return { kind: 'bool', pos, value: value === 'true' };
    case 'charConstant':
    case 'complex':
    case 'number': {
      const number = readConstant(value, token.type);
      return 'fault' in number
        ? fail(t, number.fault, lexicalHint(number.fault, value, 0))
        : { kind: 'number', pos, number, text: value };
    }
    case 'leftParen':
      return parenthesized(t);
    case 'string':
    case 'rawString':
      return { kind: 'string', pos, quoted: value, text: unquote(t, value) };
  }
  backup(t);
  return null;
}

function parenthesized(t: Tree): PipeNode {
  enter(t);
  const pipe = pipeline(t, 'parenthesized pipeline', 'rightParen');
  leave(t);
  return pipe;
}

function identifier(t: Tree, { pos, value }: Item): Operand {
  const { options, usedFunctions } = t.source;
  if (!options.isFunction(value)) {
    const hint = functionHint(value, options.isFunction, options.functionNames());
    fail(t, `function ${quoteString(value)} not defined`, hint);
  }
  if (!usedFunctions.has(value)) usedFunctions.set(value, pos);
  return { kind: 'identifier', pos, name: value };
}

/** What a string constant stands for. */
export function unquote(t: Tree, source: string): string {
  return unquoteString(source) ?? fail(t, 'invalid syntax');
}
