// The parser, as Go's text/template/parse: items into nodes, names checked. Each grammar function is headed by its
// production. Knows nothing of execution.
import { readConstant } from './constant.ts';
import { createLexer } from './lex.ts';
import { nearestName } from './nearest-name.ts';
import {
  type ActionNode,
  type BranchNode,
  type ChainNode,
  type CommandNode,
  isEmptyList,
  type ListNode,
  nodeText,
  type Operand,
  type PipeNode,
  type Statement,
  type TemplateNode,
} from './node.ts';
import { quoteString, unquoteString } from './quote.ts';
import type { Item, ItemType } from './scan.ts';
import {
  backup,
  backup2,
  backup3,
  declare,
  enter,
  expect,
  fail,
  leave,
  newTree,
  next,
  nextNonSpace,
  type ParseOptions,
  peek,
  peekNonSpace,
  popVariables,
  type Source,
  type Tree,
  unexpected,
} from './tree.ts';

export interface ParsedTemplates {
  /** By name; the top-level template has the name that was given. */
  readonly lists: ReadonlyMap<string, ListNode>;
  readonly usedFunctions: ReadonlySet<string>;
}

type EndNode = { readonly kind: 'end' | 'else'; readonly pos: number };

/** Parses a text with all that it defines. Throws a TemplateError `template_invalid` at the first mistake. */
export function parse(options: ParseOptions): ParsedTemplates {
  const lexer = createLexer(options.text, options.leftDelimiter, options.rightDelimiter);
  const source: Source = { options, lexer, lists: new Map(), usedFunctions: new Set(), depth: 0 };
  const t = newTree(source);
  add(t, options.name, parseTop(t));
  return { lists: source.lists, usedFunctions: source.usedFunctions };
}

// Templates.

/** Keeps a finished template. Blank ones never replace, real ones never are replaced by another real one. */
function add(t: Tree, name: string, list: ListNode): void {
  const { lists } = t.source;
  const present = lists.get(name);
  if (present === undefined || isEmptyList(present)) lists.set(name, list);
  else if (!isEmptyList(list)) fail(t, `template: multiple definition of template ${quoteString(name)}`);
}

/** template: (textOrAction | definition)* */
function parseTop(t: Tree): ListNode {
  const root: ListNode = { kind: 'list', pos: peek(t).pos, nodes: [] };
  while (peek(t).type !== 'eof') {
    if (peek(t).type === 'leftDelim') {
      const delim = next(t);
      if (nextNonSpace(t).type === 'define') {
        parseDefinition(newTree(t.source));
        continue;
      }
      backup2(t, delim);
    }
    const node = textOrAction(t);
    if (node.kind === 'end' || node.kind === 'else') fail(t, `unexpected {{${node.kind}}}`);
    root.nodes.push(node as Statement);
  }
  return root;
}

/** definition: "define" string itemList "end"; the keyword is past. */
function parseDefinition(t: Tree): void {
  const context = 'define clause';
  const name = unquote(t, expect(t, ['string', 'rawString'], context).value);
  expect(t, ['rightDelim'], context);
  add(t, name, definitionBody(t, t, context));
}

/** A body that ends with {{end}}, of the tree `t`; `complaining` is whose line an error names. */
function definitionBody(t: Tree, complaining: Tree, context: string): ListNode {
  const { list, end } = itemList(t);
  if (end.kind !== 'end') fail(complaining, `unexpected {{${end.kind}}} in ${context}`);
  return list;
}

function unquote(t: Tree, source: string): string {
  return unquoteString(source) ?? fail(t, 'invalid syntax');
}

/** itemList: textOrAction*, up to {{end}} or {{else}}, which are given back apart. */
function itemList(t: Tree): { list: ListNode; end: EndNode } {
  const list: ListNode = { kind: 'list', pos: peekNonSpace(t).pos, nodes: [] };
  while (peekNonSpace(t).type !== 'eof') {
    const node = textOrAction(t);
    if (node.kind === 'end' || node.kind === 'else') return { list, end: node as EndNode };
    list.nodes.push(node as Statement);
  }
  return fail(t, 'unexpected EOF');
}

/** textOrAction: text | action */
function textOrAction(t: Tree): Statement | EndNode {
  const token = nextNonSpace(t);
  if (token.type === 'text') return { kind: 'text', pos: token.pos, text: token.value };
  if (token.type !== 'leftDelim') unexpected(t, token, 'input');
  t.actionLine = token.line;
  const node = action(t);
  t.actionLine = 0;
  return node;
}

/** action: control | command ("|" command)*; the left delimiter is past. */
function action(t: Tree): Statement | EndNode {
  const token = nextNonSpace(t);
  switch (token.type) {
    case 'if':
    case 'range':
    case 'with':
      return branchControl(t, token.type);
    case 'block':
      return blockControl(t);
    case 'break':
    case 'continue':
      return jumpControl(t, token, token.type);
    case 'else':
      return elseControl(t);
    case 'end':
      return { kind: 'end', pos: expect(t, ['rightDelim'], 'end').pos };
    case 'template':
      return templateControl(t);
  }
  backup(t);
  const { pos } = peek(t);
  // Variables are not popped: they last until the next end.
  const node: ActionNode = { kind: 'action', pos, pipe: pipeline(t, 'command', 'rightDelim') };
  return node;
}

/** break: "break"; continue: "continue" */
function jumpControl(t: Tree, token: Item, kind: 'break' | 'continue'): Statement {
  const after = nextNonSpace(t);
  if (after.type !== 'rightDelim') unexpected(t, after, `{{${kind}}}`);
  if (t.rangeDepth === 0) fail(t, `{{${kind}}} outside {{range}}`);
  return { kind, pos: token.pos };
}

/**
 * branch: ("if" | "range" | "with") pipeline itemList ("else" itemList)? "end". `else if` and `else with` are a branch
 * in the else list that shares the end; a long chain of them is read in a loop, not by recursion.
 */
function branchControl(t: Tree, kind: BranchNode['kind']): BranchNode {
  const mark = t.variables.length;
  enter(t);
  const first = branch(t, kind);
  let last = first;
  while (last.next !== null) {
    const inner = branch(t, kind);
    last.node.elseList = { kind: 'list', pos: last.next.pos, nodes: [inner.node] };
    last = inner;
  }
  leave(t);
  popVariables(t, mark);
  return first.node;
}

/** One link of the chain; `next` is the else that another link follows. */
function branch(t: Tree, kind: BranchNode['kind']): { node: BranchNode; next: EndNode | null } {
  const pipe = pipeline(t, kind, 'rightDelim');
  if (kind === 'range') t.rangeDepth++;
  const { list, end } = itemList(t);
  if (kind === 'range') t.rangeDepth--;
  const node: BranchNode = { kind, pos: pipe.pos, pipe, list, elseList: null };
  if (end.kind === 'end') return { node, next: null };
  if (kind !== 'range' && peek(t).type === kind) {
    next(t);
    return { node, next: end };
  }
  const rest = itemList(t);
  if (rest.end.kind !== 'end') fail(t, `expected end; found {{${rest.end.kind}}}`);
  node.elseList = rest.list;
  return { node, next: null };
}

/** else: "else", or the else of "else if" and "else with", whose second word is left to the branch. */
function elseControl(t: Tree): EndNode {
  const after = peekNonSpace(t);
  if (after.type === 'if' || after.type === 'with') return { kind: 'else', pos: after.pos };
  return { kind: 'else', pos: expect(t, ['rightDelim'], 'else').pos };
}

/** block: "block" string pipeline itemList "end" */
function blockControl(t: Tree): TemplateNode {
  const context = 'block clause';
  const token = nextNonSpace(t);
  const name = templateName(t, token, context);
  const pipe = pipeline(t, context, 'rightDelim');
  const block = newTree(t.source);
  enter(t);
  add(block, name, definitionBody(block, t, context));
  leave(t);
  return { kind: 'template', pos: token.pos, name, pipe };
}

/** template: "template" string pipeline? */
function templateControl(t: Tree): TemplateNode {
  const context = 'template clause';
  const token = nextNonSpace(t);
  const name = templateName(t, token, context);
  let pipe: PipeNode | null = null;
  if (nextNonSpace(t).type !== 'rightDelim') {
    backup(t);
    pipe = pipeline(t, context, 'rightDelim');
  }
  return { kind: 'template', pos: token.pos, name, pipe };
}

function templateName(t: Tree, token: Item, context: string): string {
  if (token.type !== 'string' && token.type !== 'rawString') unexpected(t, token, context);
  return unquote(t, token.value);
}

// Pipelines.

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
function pipeline(t: Tree, context: string, end: 'rightDelim' | 'rightParen'): PipeNode {
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
      if ((t.declared.get(value) ?? 0) === 0) fail(t, `undefined variable ${quoteString(value)}`);
      return { kind: 'variable', pos, idents: [value] };
    case 'field':
      return { kind: 'field', pos, idents: [value.slice(1)] };
    case 'bool':
      return { kind: 'bool', pos, value: value === 'true' };
    case 'charConstant':
    case 'complex':
    case 'number': {
      const number = readConstant(value, token.type);
      return 'fault' in number ? fail(t, number.fault) : { kind: 'number', pos, number, text: value };
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
    const near = nearestName(value, options.functionNames());
    fail(
      t,
      `function ${quoteString(value)} not defined`,
      near === null ? undefined : `did you mean ${near}?`,
    );
  }
  usedFunctions.add(value);
  return { kind: 'identifier', pos, name: value };
}
