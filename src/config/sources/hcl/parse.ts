// Parses HCL 1, or JSON where the text begins with `{`, as the readers of Vault Agent and consul-template do.
import { createLexer, type Token, type TokenKind } from './lex.ts';
import { HclError, type HclItem, type HclKey, type HclList, type HclNode, type HclObject } from './node.ts';
import { parseJsonAsHcl } from './parse-json.ts';

/** Throws an HclError with the place of the first thing that cannot be read. */
export function parseHcl(source: string): HclObject {
  const text = source.replaceAll('\r\n', '\n');
  return /^\s*\{/.test(text) ? parseJsonAsHcl(text) : parseFile(text);
}

function parseFile(text: string): HclObject {
  const next = createLexer(text);
  let token = next();
  const file = parseItems('end');
  return { kind: 'object', position: { line: 1, column: 1 }, items: file };

  function advance(): Token {
    const before = token;
    token = next();
    return before;
  }

  /** Items follow each other with or without a comma or a line end. */
  function parseItems(end: TokenKind): HclItem[] {
    const items: HclItem[] = [];
    while (token.kind !== end) {
      items.push(parseItem());
      if (token.kind === ',') advance();
    }
    return items;
  }

  // item = key { label } ( "=" value | object ) .
  function parseItem(): HclItem {
    const keys = parseKeys();
    if (token.kind === '{') return { keys, value: parseObject() };
    const [, second] = keys;
    if (token.kind === '=' && second !== undefined) {
      throw new HclError(token.position, `expected { after ${nameOf(keys)}, got =`);
    }
    if (token.kind !== '=') {
      throw new HclError(token.position, `expected = or { after ${nameOf(keys)}, got ${describe(token)}`);
    }
    advance();
    return { keys, value: parseValue() };
  }

  function parseKeys(): HclKey[] {
    const keys: HclKey[] = [];
    while (token.kind === 'identifier' || token.kind === 'string') {
      keys.push({ name: token.text, position: token.position, isQuoted: token.kind === 'string' });
      advance();
    }
    if (keys.length > 0) return keys;
    const what =
      token.kind === 'end'
        ? 'expected } before the end of the file'
        : `expected a key, got ${describe(token)}`;
    throw new HclError(token.position, what);
  }

  function parseValue(): HclNode {
    if (token.kind === '{') return parseObject();
    if (token.kind === '[') return parseList();
    return parseLiteral('a string in quotes, a number, true, false, a list or a map');
  }

  function parseLiteral(expected: string): HclNode {
    const { kind, text: value, position } = token;
    if (kind !== 'string' && kind !== 'heredoc' && kind !== 'number' && kind !== 'float' && kind !== 'bool') {
      throw new HclError(position, `expected ${expected}, got ${describe(token)}`);
    }
    advance();
    return { kind: 'literal', type: kind, text: value, position };
  }

  function parseObject(): HclObject {
    const { position } = advance();
    const items = parseItems('}');
    advance();
    return { kind: 'object', position, items };
  }

  // A comma stands between literals and objects; after a list in a list, and more than once, it may be there or not.
  function parseList(): HclList {
    const { position } = advance();
    const items: HclNode[] = [];
    let isCommaNeeded = false;
    while (token.kind !== ']') {
      if (token.kind === ',') {
        advance();
        isCommaNeeded = false;
        continue;
      }
      if (isCommaNeeded) throw new HclError(token.position, `expected , or ], got ${describe(token)}`);
      const isList = token.kind === '[';
      items.push(
        token.kind === '{' || isList ? parseValue() : parseLiteral('the next item of the list, or ]'),
      );
      isCommaNeeded = !isList;
    }
    advance();
    return { kind: 'list', position, items };
  }
}

function nameOf(keys: readonly HclKey[]): string {
  return keys.map(({ name, isQuoted }) => (isQuoted ? JSON.stringify(name) : name)).join(' ');
}

function describe({ kind, text }: Token): string {
  if (kind === 'end') return 'the end of the file';
  if (kind === 'string') return 'a string';
  if (kind === 'heredoc') return 'a text';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
