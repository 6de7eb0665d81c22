// The words of HCL 1, each with its place. A string comes with its value, a heredoc with its lines as the file's authors
// mean them; what is no word at all is an HclError.
import type { Position } from '../../problems.ts';
import { HclError, positionIn } from './node.ts';
import { unquote } from './unquote.ts';

export type TokenKind =
  | 'identifier'
  | 'bool'
  | 'number'
  | 'float'
  | 'string'
  | 'heredoc'
  | '{'
  | '}'
  | '['
  | ']'
  | ','
  | '='
  | 'operator'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Of a string and a heredoc the value, else as it stands. */
  readonly text: string;
  readonly position: Position;
}

const identifier = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const number = /-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)?)|\.\d+(?:[eE][+-]?\d+)?/y;
const anchorLine = /(-?)([\p{L}\p{Nd}_]+)\r?\n/uy;
const punctuation = new Set(['{', '}', '[', ']', ',', '=']);

/** Gives one token at each call, in the end `end` again and again. Takes text whose lines end with LF. */
export function createLexer(text: string): () => Token {
  let at = 0;
  let line = 1;
  let lineStart = 0;

  return next;

  function next(): Token {
    skipBlanksAndComments();
    const position = positionAt(at);
    const first = text[at];
    if (first === undefined) return { kind: 'end', text: '', position };
    if (first === '"') return { kind: 'string', text: readString(position), position };
    if (first === '<') return { kind: 'heredoc', text: readHeredoc(position), position };
    if (punctuation.has(first)) return { kind: first as TokenKind, text: take(first), position };
    const word = match(identifier);
    if (word !== undefined) {
      const isBool = word === 'true' || word === 'false';
      return { kind: isBool ? 'bool' : 'identifier', text: take(word), position };
    }
    const digits = match(number);
    if (digits !== undefined) return { ...readNumber(digits), position };
    if (first === '+' || first === '-' || first === '.') {
      return { kind: 'operator', text: take(first), position };
    }
    throw new HclError(position, describeIllegal(text, at));
  }

  function readNumber(digits: string): Pick<Token, 'kind' | 'text'> {
    const isFloat = /^-?(?:\d*\.|\d+[eE])/.test(digits);
    return { kind: isFloat ? 'float' : 'number', text: take(digits) };
  }

  /** In `${…}` quotes and line ends are part of the string, as braces are that have a partner there. */
  function readString(position: Position): string {
    const start = at;
    let braces = 0;
    for (at++; ; at++) {
      const char = text[at];
      if (char === undefined || (char === '\n' && braces === 0)) {
        throw new HclError(position, 'the string is not closed; expected " in this line');
      }
      if (char === '"' && braces === 0) break;
      if (braces === 0 && char === '$' && text[at + 1] === '{') {
        braces = 1;
        at++;
      } else if (braces > 0 && char === '{') braces++;
      else if (braces > 0 && char === '}') braces--;
      else if (char === '\\') at += 1;
    }
    at++;
    const body = text.slice(start + 1, at - 1);
    countLines(start, at);
    return unquote(body, (offset, message) => {
      throw new HclError(positionIn(text, start + 1 + offset), message);
    });
  }

  function readHeredoc(position: Position): string {
    const start = at;
    if (text[at + 1] !== '<') {
      throw new HclError(position, 'expected << with a word that ends the text, got <');
    }
    anchorLine.lastIndex = at + 2;
    const [opening, dash, anchor] = anchorLine.exec(text) ?? [];
    if (opening === undefined || anchor === undefined) {
      throw new HclError(position, 'expected a word of letters and digits alone after <<, then the text');
    }
    let from = at + 2 + opening.length;
    // A line that is shorter than the opening word, its dash counted, is not looked at.
    const shortest = anchor.length + (dash === '-' ? 1 : 0);
    for (;;) {
      const end = text.indexOf('\n', from);
      if (end < 0) {
        throw new HclError(
          position,
          `the text is not closed; expected ${anchor} alone in a line of its own${shortest > anchor.length ? ', indented' : ''}, and a line end after it`,
        );
      }
      const candidate = text.slice(from, end);
      if (candidate.length >= shortest && isTerminator(candidate, anchor)) {
        at = end + 1;
        countLines(start, at);
        return heredocValue(text.slice(start, at));
      }
      from = end + 1;
    }
  }

  function skipBlanksAndComments(): void {
    for (;;) {
      const char = text[at];
      if (char === '\n') {
        at++;
        line++;
        lineStart = at;
      } else if (char === ' ' || char === '\t' || char === '\r') at++;
      else if (char === '#' || (char === '/' && text[at + 1] === '/')) {
        const end = text.indexOf('\n', at);
        checkText(at, end < 0 ? text.length : end);
        at = end < 0 ? text.length : end;
      } else if (char === '/' && text[at + 1] === '*') {
        const end = text.indexOf('*/', at + 2);
        if (end < 0) throw new HclError(positionAt(at), 'the comment is not closed; expected */');
        countLines(at, end + 2);
        at = end + 2;
      } else if (char === '/') {
        throw new HclError(positionAt(at), 'expected // or /* of a comment, got /');
      } else return;
    }
  }

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  }

  function take(word: string): string {
    at += word.length;
    return word;
  }

  function countLines(from: number, to: number): void {
    checkText(from, to);
    for (let end = text.indexOf('\n', from); end >= 0 && end < to; end = text.indexOf('\n', end + 1)) {
      line++;
      lineStart = end + 1;
    }
  }

  function checkText(from: number, to: number): void {
    const bad = /[\0\uE123]/.exec(text.slice(from, to));
    if (bad !== null)
      throw new HclError(positionIn(text, from + bad.index), describeIllegal(text, from + bad.index));
  }

  function positionAt(offset: number): Position {
    return { line, column: [...text.slice(lineStart, offset)].length + 1 };
  }
}

function isTerminator(line: string, anchor: string): boolean {
  return line.replace(/^[\t\n\v\f\r ]*/, '').replace(/\r*$/, '') === anchor;
}

function describeIllegal(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (char === '\uFEFF') return 'begins with a byte order mark; save the file without one';
  if (char === '\0') return 'holds a null character';
  if (char === "'") return '\' is no quote here; write "';
  return `${JSON.stringify(char)} is not expected here`;
}

/** `source` is the whole of it, from `<<` to the line end after the terminator. */
function heredocValue(source: string): string {
  const bodyStart = source.indexOf('\n') + 1;
  const isIndented = source[2] === '-';
  const anchorLength = bodyStart - 3 - (isIndented ? 1 : 0);
  // The blanks before the terminator belong to the text: `<<X` hands them on as its last line.
  const body = source.slice(bodyStart, source.length - anchorLength - 1);
  if (!isIndented) return body;
  const lines = body.split('\n');
  const indentation = lines.at(-1) ?? '';
  if (!lines.every((line) => line.startsWith(indentation))) return body.slice(0, -1).replace(/[ \t]+$/, '');
  return [...lines.slice(0, -1).map((line) => line.slice(indentation.length)), ''].join('\n');
}
