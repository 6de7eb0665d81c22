// The parser, as Go's text/template/parse: items into nodes, names checked. Each grammar function is headed by its
// production. Knows nothing of execution. What stands in an action is parse-pipeline.ts's.

import { placeOf } from '../template-error.ts';
import { quoteString } from '../text/quote.ts';
import { createLexer } from './lex.ts';
import {
  type ActionNode,
  type BranchNode,
  isEmptyList,
  type ListNode,
  type PipeNode,
  type Statement,
  type TemplateNode,
} from './node.ts';
import { pipeline, unquote } from './parse-pipeline.ts';
import type { Item } from './scan.ts';
import {
  backup,
  backup2,
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
  readonly usedFunctions: ReadonlyMap<string, number>;
  /** Names in `{{ template }}`, with where each stands first. */
  readonly usedTemplates: ReadonlyMap<string, number>;
}

/** What an {{end}} is wanted for. */
interface Opener {
  readonly keyword: string;
  readonly pos: number;
}

type EndNode = { readonly kind: 'end' | 'else'; readonly pos: number };

/** Parses a text with all that it defines. Throws a TemplateError `template_invalid` at the first mistake. */
export function parse(options: ParseOptions): ParsedTemplates {
  const lexer = createLexer(options.text, options.leftDelimiter, options.rightDelimiter);
  const source: Source = {
    ...{ options, lexer, depth: 0 },
    ...{ lists: new Map(), usedFunctions: new Map(), usedTemplates: new Map() },
  };
  const t = newTree(source);
  add(t, options.name, parseTop(t));
  const { lists, usedFunctions, usedTemplates } = source;
  return { lists, usedFunctions, usedTemplates };
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
  const { pos, value } = expect(t, ['string', 'rawString'], context);
  const name = unquote(t, value);
  expect(t, ['rightDelim'], context);
  add(t, name, definitionBody(t, t, context, { keyword: 'define', pos }));
}

/** A body that ends with {{end}}, of the tree `t`; `complaining` is whose line an error names. */
function definitionBody(t: Tree, complaining: Tree, context: string, opener: Opener): ListNode {
  const { list, end } = itemList(t, opener);
  if (end.kind !== 'end') fail(complaining, `unexpected {{${end.kind}}} in ${context}`);
  return list;
}

/** itemList: textOrAction*, up to {{end}} or {{else}}, which are given back apart. */
function itemList(t: Tree, { keyword, pos }: Opener): { list: ListNode; end: EndNode } {
  const list: ListNode = { kind: 'list', pos: peekNonSpace(t).pos, nodes: [] };
  while (peekNonSpace(t).type !== 'eof') {
    const node = textOrAction(t);
    if (node.kind === 'end' || node.kind === 'else') return { list, end: node as EndNode };
    list.nodes.push(node as Statement);
  }
  const { line } = placeOf(t.source.options.text, pos);
  return fail(t, 'unexpected EOF', `the {{${keyword}}} in line ${line} has no {{end}}`);
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
  const opener = { keyword: kind, pos: pipe.pos };
  const { list, end } = itemList(t, opener);
  if (kind === 'range') t.rangeDepth--;
  const node: BranchNode = { kind, pos: pipe.pos, pipe, list, elseList: null };
  if (end.kind === 'end') return { node, next: null };
  if (kind !== 'range' && peek(t).type === kind) {
    next(t);
    return { node, next: end };
  }
  const rest = itemList(t, opener);
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
  add(block, name, definitionBody(block, t, context, { keyword: 'block', pos: token.pos }));
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
  const { usedTemplates } = t.source;
  if (!usedTemplates.has(name)) usedTemplates.set(name, token.pos);
  return { kind: 'template', pos: token.pos, name, pipe };
}

function templateName(t: Tree, token: Item, context: string): string {
  if (token.type !== 'string' && token.type !== 'rawString') unexpected(t, token, context);
  return unquote(t, token.value);
}
