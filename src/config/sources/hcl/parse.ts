// Parses HCL 1, or JSON where the text begins with `{`, as the readers of Vault Agent and consul-template do.
import { shorten } from '../../../base/text/shorten.ts';
import { createLexer, type Token, type TokenKind } from './lex.ts';
import { HclError, type HclItem, type HclKey, type HclList, type HclNode, type HclObject } from './node.ts';
import { parseJsonAsHcl } from './parse-json.ts';

/** Throws an HclError with the place of the first thing that cannot be read. */
export function parseHcl(source: string): HclObject {
  const text = source.replaceAll('\r\n', '\n');
  return /^\s*\{/.test(text) ? parseJsonAsHcl(text) : parseFile(text);
}

/** The token that comes next, and the way past it. */
interface Tokens {
  readonly next: Token;
  advance(): Token;
}

function createTokens(text: string): Tokens {
  const read = createLexer(text);
  let next = read();
  return {
    get next() {
      return next;
    },
    advance() {
      const before = next;
      next = read();
      return before;
    },
  };
}

function parseFile(text: string): HclObject {
  const items = parseItems(createTokens(text), 'end');
  return { kind: 'object', position: { line: 1, column: 1 }, items };
}

/** Items follow each other with or without a comma or a line end. */
function parseItems(tokens: Tokens, end: TokenKind): HclItem[] {
  const items: HclItem[] = [];
  while (tokens.next.kind !== end) {
    items.push(parseItem(tokens));
    if (tokens.next.kind === ',') tokens.advance();
  }
  return items;
}

// item = key { label } ( "=" value | object ) .
function parseItem(tokens: Tokens): HclItem {
  const keys = parseKeys(tokens);
  const { next } = tokens;
  if (next.kind === '{') return { keys, value: parseObject(tokens) };
  const [, second] = keys;
  if (next.kind === '=' && second !== undefined) {
    throw new HclError(next.position, `expected { after ${nameOf(keys)}, got =`);
  }
  if (next.kind !== '=') {
    throw new HclError(next.position, `expected = or { after ${nameOf(keys)}, got ${describe(next)}`);
  }
  tokens.advance();
  return { keys, value: parseValue(tokens) };
}

function parseKeys(tokens: Tokens): HclKey[] {
  const keys: HclKey[] = [];
  while (tokens.next.kind === 'identifier' || tokens.next.kind === 'string') {
    const { kind, text, position } = tokens.advance();
    keys.push({ name: text, position, isQuoted: kind === 'string' });
  }
  if (keys.length > 0) return keys;
  const { next } = tokens;
  const what =
    next.kind === 'end' ? 'expected } before the end of the file' : `expected a key, got ${describe(next)}`;
  throw new HclError(next.position, what);
}

function parseValue(tokens: Tokens): HclNode {
  if (tokens.next.kind === '{') return parseObject(tokens);
  if (tokens.next.kind === '[') return parseList(tokens);
  return parseLiteral(tokens, 'a string in quotes, a number, true, false, a list or a map');
}

function parseLiteral(tokens: Tokens, expected: string): HclNode {
  const { kind, text, position } = tokens.next;
  if (kind !== 'string' && kind !== 'heredoc' && kind !== 'number' && kind !== 'float' && kind !== 'bool') {
    throw new HclError(position, `expected ${expected}, got ${describe(tokens.next)}`);
  }
  tokens.advance();
  return { kind: 'literal', type: kind, text, position };
}

function parseObject(tokens: Tokens): HclObject {
  const { position } = tokens.advance();
  const items = parseItems(tokens, '}');
  tokens.advance();
  return { kind: 'object', position, items };
}

// A comma stands between literals and objects; after a list in a list, and more than once, it may be there or not.
function parseList(tokens: Tokens): HclList {
  const { position } = tokens.advance();
  const items: HclNode[] = [];
  let isCommaNeeded = false;
  while (tokens.next.kind !== ']') {
    const { next } = tokens;
    if (next.kind === ',') {
      tokens.advance();
      isCommaNeeded = false;
      continue;
    }
    if (isCommaNeeded) throw new HclError(next.position, `expected , or ], got ${describe(next)}`);
    const isList = next.kind === '[';
    items.push(
      next.kind === '{' || isList
        ? parseValue(tokens)
        : parseLiteral(tokens, 'the next item of the list, or ]'),
    );
    isCommaNeeded = !isList;
  }
  tokens.advance();
  return { kind: 'list', position, items };
}

function nameOf(keys: readonly HclKey[]): string {
  return keys.map(({ name, isQuoted }) => (isQuoted ? JSON.stringify(name) : name)).join(' ');
}

function describe({ kind, text }: Token): string {
  if (kind === 'end') return 'the end of the file';
  if (kind === 'string') return 'a string';
  if (kind === 'heredoc') return 'a text';
  return shorten(text, 40);
}
