// What the parser reads with: three tokens of lookahead, the variables in sight, errors with their place.
// The grammar is in parse.ts.

import { placeOf, TemplateError } from '../template-error.ts';
import { decodeText } from '../text/bytes.ts';
import type { Lexer } from './lex.ts';
import type { ListNode } from './node.ts';
import { lexicalHint } from './parse-hint.ts';
import { type Item, type ItemType, itemText } from './scan.ts';

export interface ParseOptions {
  /** Byte strings, all of them. */
  readonly name: string;
  readonly text: string;
  readonly leftDelimiter: string;
  readonly rightDelimiter: string;
  /** Whether a function may be called so. */
  isFunction(name: string): boolean;
  functionNames(): Iterable<string>;
}

/** Parentheses within parentheses, and blocks within blocks: what the host's stack takes with room to spare. */
export const deepestNesting = 500;

/** What all trees of one text share. */
export interface Source {
  readonly options: ParseOptions;
  readonly lexer: Lexer;
  readonly lists: Map<string, ListNode>;
  readonly usedFunctions: Map<string, number>;
  readonly usedTemplates: Map<string, number>;
  /** Blocks and parentheses that are open. */
  depth: number;
}

/** One template being parsed: the top-level one, or that of a define or block. */
export interface Tree {
  readonly source: Source;
  /** Three tokens of lookahead. */
  readonly tokens: [Item, Item, Item];
  peekCount: number;
  readonly variables: string[];
  /** How often each name is in `variables`. */
  readonly declared: Map<string, number>;
  /** Line of the left delimiter of the action being parsed, 0 outside. */
  actionLine: number;
  rangeDepth: number;
}

export function newTree(source: Source): Tree {
  const none: Item = { type: 'eof', pos: 0, value: '', line: 1 };
  const t: Tree = {
    source,
    tokens: [none, none, none],
    peekCount: 0,
    variables: [],
    declared: new Map(),
    actionLine: 0,
    rangeDepth: 0,
  };
  declare(t, '$');
  return t;
}

// Tokens.

export function next(t: Tree): Item {
  if (t.peekCount > 0) t.peekCount--;
  else t.tokens[0] = t.source.lexer.nextItem();
  return t.tokens[t.peekCount] ?? t.tokens[0];
}

export function backup(t: Tree): void {
  t.peekCount++;
}

/** Puts back two tokens; the second one is at its place already. */
export function backup2(t: Tree, first: Item): void {
  t.tokens[1] = first;
  t.peekCount = 2;
}

/** Puts back three tokens; the third one is at its place already. */
export function backup3(t: Tree, first: Item, second: Item): void {
  t.tokens[1] = second;
  t.tokens[2] = first;
  t.peekCount = 3;
}

export function peek(t: Tree): Item {
  if (t.peekCount > 0) return t.tokens[t.peekCount - 1] ?? t.tokens[0];
  t.peekCount = 1;
  t.tokens[0] = t.source.lexer.nextItem();
  return t.tokens[0];
}

export function nextNonSpace(t: Tree): Item {
  let token = next(t);
  while (token.type === 'space') token = next(t);
  return token;
}

export function peekNonSpace(t: Tree): Item {
  const token = nextNonSpace(t);
  backup(t);
  return token;
}

export function expect(t: Tree, expected: readonly ItemType[], context: string): Item {
  const token = nextNonSpace(t);
  return expected.includes(token.type) ? token : unexpected(t, token, context);
}

// Errors.

export function fail(t: Tree, message: string, remedy?: string): never {
  const { name, text } = t.source.options;
  const [token] = t.tokens;
  throw new TemplateError('template_invalid', decodeText(`template: ${name}:${token.line}: ${message}`), {
    templateName: decodeText(name),
    line: token.line,
    column: placeOf(text, token.pos).column,
    remedy,
  });
}

export function unexpected(t: Tree, token: Item, context: string): never {
  if (token.type !== 'error') fail(t, `unexpected ${itemText(token)} in ${context}`);
  const { name, text } = t.source.options;
  const hint = lexicalHint(token.value, text, token.pos);
  if (t.actionLine === 0 || t.actionLine === token.line) fail(t, token.value, hint);
  const action = token.value.endsWith(' action') ? '' : ' in action';
  fail(t, `${token.value}${action} started at ${name}:${t.actionLine}`, hint);
}

export function enter(t: Tree): void {
  if (++t.source.depth > deepestNesting) {
    fail(
      t,
      `nested deeper than ${deepestNesting} blocks and parentheses`,
      'move parts into templates of their own',
    );
  }
}

export function leave(t: Tree): void {
  t.source.depth--;
}

// Variables.

export function declare(t: Tree, name: string): void {
  t.variables.push(name);
  t.declared.set(name, (t.declared.get(name) ?? 0) + 1);
}

export function popVariables(t: Tree, count: number): void {
  while (t.variables.length > count) {
    const name = t.variables.pop() ?? '';
    t.declared.set(name, (t.declared.get(name) ?? 0) - 1);
  }
}
