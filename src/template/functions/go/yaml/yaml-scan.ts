// YAML text into tokens, as libyaml's scanner does it for go-yaml v2: indentation becomes block starts and ends, and a
// key is known for one only when its colon comes.
import { type Mark, YamlReader } from './yaml-reader.ts';
import {
  type ScannedScalar,
  scanBlockScalar,
  scanPlainScalar,
  scanQuotedScalar,
} from './yaml-scan-scalar.ts';
import {
  type ScannedDirective,
  type ScannedTag,
  scanAnchor,
  scanDirective,
  scanTag,
} from './yaml-scan-tag.ts';

export type TokenKind =
  | 'stream end'
  | 'document start'
  | 'document end'
  | 'block sequence start'
  | 'block mapping start'
  | 'block end'
  | '['
  | ']'
  | '{'
  | '}'
  | ','
  | '-'
  | '?'
  | ':'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'directive'
  | 'plain'
  | 'quoted';

export interface Token {
  readonly kind: TokenKind;
  readonly start: Mark;
  /** Of scalars, anchors and aliases. */
  readonly text: string;
  readonly tag?: ScannedTag;
  readonly directive?: ScannedDirective;
}

/** A place where a key may have begun. */
interface SimpleKey {
  isPossible: boolean;
  readonly isRequired: boolean;
  readonly tokenNumber: number;
  readonly mark: Mark;
}

const longestKey = 1024;
const deepest = 10_000;
const noKey: SimpleKey = {
  isPossible: false,
  isRequired: false,
  tokenNumber: 0,
  mark: { index: 0, line: 0, column: 0 },
};
const notPlainStart = new Set('-?:,[]{}#&*!|>\'"%@`');

export class YamlScanner {
  readonly #reader: YamlReader;
  #tokens: Token[] = [];
  #head = 0;
  #parsed = 0;
  #indent = -1;
  readonly #indents: number[] = [];
  readonly #keys: SimpleKey[] = [{ ...noKey }];
  /** The place in `#keys` of the key that a token would begin. */
  readonly #keyAtToken = new Map<number, number>();
  #isKeyAllowed = true;
  #flowLevel = 0;

  constructor(text: string) {
    this.#reader = new YamlReader(text);
  }

  /** The next token, left where it is. After the end of the stream there is nothing to ask for. */
  peek(): Token {
    while (this.#head === this.#tokens.length || this.#mayBeKey()) this.#fetch();
    return this.#tokens[this.#head] as Token;
  }

  /** Takes the token that `peek` has shown. */
  skip(): void {
    this.#head++;
    this.#parsed++;
    if (this.#head > 64) {
      this.#tokens = this.#tokens.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Whether the next token may turn out to be a key, so that more has to be read first. */
  #mayBeKey(): boolean {
    const place = this.#keyAtToken.get(this.#parsed);
    const key = place === undefined ? undefined : this.#keys[place];
    return key !== undefined && this.#isValid(key);
  }

  #isValid(key: SimpleKey): boolean {
    if (!key.isPossible) return false;
    const isStale = key.mark.line < this.#reader.line || key.mark.index + longestKey < this.#reader.index;
    if (isStale && key.isRequired) throw this.#reader.fault("could not find expected ':'", key.mark);
    if (isStale) key.isPossible = false;
    return !isStale;
  }

  #fetch(): void {
    const reader = this.#reader;
    this.#skipToToken();
    this.#unroll(reader.column);
    const char = reader.char();
    if (reader.isEnd()) this.#streamEnd();
    else if (reader.column === 0 && char === '%') this.#directive();
    else if (reader.isDocumentIndicator()) this.#documentIndicator();
    else if (char === '[' || char === '{') this.#flowStart(char);
    else if (char === ']' || char === '}') this.#flowEnd(char);
    else if (char === ',') this.#flowEntry();
    else if (char === '-' && reader.isBlankOrEnd(1)) this.#blockEntry();
    else if (char === '?' && (this.#flowLevel > 0 || reader.isBlankOrEnd(1))) this.#key();
    else if (char === ':' && (this.#flowLevel > 0 || reader.isBlankOrEnd(1))) this.#value();
    else if (char === '*' || char === '&') this.#anchor(char === '*' ? 'alias' : 'anchor');
    else if (char === '!') this.#tag();
    else if ((char === '|' || char === '>') && this.#flowLevel === 0) this.#blockScalar();
    else if (char === "'" || char === '"') this.#inlineScalar('quoted', () => scanQuotedScalar(reader));
    else if (this.#isPlainStart(char)) {
      this.#inlineScalar('plain', () => scanPlainScalar(reader, this.#indent, this.#flowLevel > 0));
    } else throw reader.fault('found character that cannot start any token');
  }

  #isPlainStart(char: string): boolean {
    const reader = this.#reader;
    if (!reader.isBlankOrEnd() && !notPlainStart.has(char)) return true;
    if (char === '-') return !reader.isBlank(1);
    return this.#flowLevel === 0 && (char === '?' || char === ':') && !reader.isBlankOrEnd(1);
  }

  #skipToToken(): void {
    const reader = this.#reader;
    for (;;) {
      if (reader.column === 0 && reader.at() === 0xfeff) reader.skip();
      while (reader.isSpace() || ((this.#flowLevel > 0 || !this.#isKeyAllowed) && reader.char() === '\t')) {
        reader.skip();
      }
      reader.skipComment();
      if (!reader.isBreak()) return;
      reader.readLine();
      if (this.#flowLevel === 0) this.#isKeyAllowed = true;
    }
  }

  #push(kind: TokenKind, start: Mark, rest: Partial<Token> = {}): void {
    this.#tokens.push({ kind, start, text: '', ...rest });
  }

  /** Takes this many characters for a token of their own. */
  #pushSigns(kind: TokenKind, count = 1): void {
    const start = this.#reader.mark();
    this.#reader.skip(count);
    this.#push(kind, start);
  }

  /** Opens a block where the column is deeper than the indentation; `number` is the token that it goes before. */
  #roll(column: number, number: number | null, kind: TokenKind, mark: Mark): void {
    if (this.#flowLevel > 0 || this.#indent >= column) return;
    this.#indents.push(this.#indent);
    this.#indent = column;
    if (this.#indents.length > deepest) throw this.#reader.fault(`exceeded max depth of ${deepest}`);
    const token: Token = { kind, start: mark, text: '' };
    if (number === null) this.#tokens.push(token);
    else this.#tokens.splice(this.#head + number - this.#parsed, 0, token);
  }

  #unroll(column: number): void {
    if (this.#flowLevel > 0) return;
    while (this.#indent > column) {
      this.#push('block end', this.#reader.mark());
      this.#indent = this.#indents.pop() ?? -1;
    }
  }

  #saveKey(): void {
    if (!this.#isKeyAllowed) return;
    this.#removeKey();
    const tokenNumber = this.#nextTokenNumber();
    this.#keys[this.#keys.length - 1] = {
      isPossible: true,
      isRequired: this.#flowLevel === 0 && this.#indent === this.#reader.column,
      tokenNumber,
      mark: this.#reader.mark(),
    };
    this.#keyAtToken.set(tokenNumber, this.#keys.length - 1);
  }

  #nextTokenNumber(): number {
    return this.#parsed + this.#tokens.length - this.#head;
  }

  #removeKey(): void {
    const key = this.#keys.at(-1);
    if (key === undefined || !key.isPossible) return;
    if (key.isRequired) throw this.#reader.fault("could not find expected ':'", key.mark);
    key.isPossible = false;
    this.#keyAtToken.delete(key.tokenNumber);
  }

  #streamEnd(): void {
    const reader = this.#reader;
    if (reader.column !== 0) {
      reader.column = 0;
      reader.line++;
    }
    this.#endBlocks();
    this.#push('stream end', reader.mark());
  }

  #endBlocks(): void {
    this.#unroll(-1);
    this.#removeKey();
    this.#isKeyAllowed = false;
  }

  #directive(): void {
    this.#endBlocks();
    const start = this.#reader.mark();
    this.#push('directive', start, { directive: scanDirective(this.#reader) });
  }

  #documentIndicator(): void {
    this.#endBlocks();
    this.#pushSigns(this.#reader.char() === '-' ? 'document start' : 'document end', 3);
  }

  #flowStart(char: '[' | '{'): void {
    this.#saveKey();
    this.#keys.push({ ...noKey, tokenNumber: this.#nextTokenNumber() });
    this.#flowLevel++;
    if (this.#flowLevel > deepest) throw this.#reader.fault(`exceeded max depth of ${deepest}`);
    this.#isKeyAllowed = true;
    this.#pushSigns(char);
  }

  #flowEnd(char: ']' | '}'): void {
    this.#removeKey();
    if (this.#flowLevel > 0) {
      this.#flowLevel--;
      const key = this.#keys.pop();
      if (key !== undefined) this.#keyAtToken.delete(key.tokenNumber);
    }
    this.#isKeyAllowed = false;
    this.#pushSigns(char);
  }

  #flowEntry(): void {
    this.#removeKey();
    this.#isKeyAllowed = true;
    this.#pushSigns(',');
  }

  #blockEntry(): void {
    const reader = this.#reader;
    if (this.#flowLevel === 0) {
      if (!this.#isKeyAllowed) throw reader.fault('block sequence entries are not allowed in this context');
      this.#roll(reader.column, null, 'block sequence start', reader.mark());
    }
    this.#removeKey();
    this.#isKeyAllowed = true;
    this.#pushSigns('-');
  }

  #key(): void {
    const reader = this.#reader;
    if (this.#flowLevel === 0) {
      if (!this.#isKeyAllowed) throw reader.fault('mapping keys are not allowed in this context');
      this.#roll(reader.column, null, 'block mapping start', reader.mark());
    }
    this.#removeKey();
    this.#isKeyAllowed = this.#flowLevel === 0;
    this.#pushSigns('?');
  }

  #value(): void {
    const reader = this.#reader;
    const key = this.#keys.at(-1);
    if (key !== undefined && this.#isValid(key)) {
      this.#tokens.splice(this.#head + key.tokenNumber - this.#parsed, 0, {
        kind: '?',
        start: key.mark,
        text: '',
      });
      this.#roll(key.mark.column, key.tokenNumber, 'block mapping start', key.mark);
      key.isPossible = false;
      this.#keyAtToken.delete(key.tokenNumber);
      this.#isKeyAllowed = false;
    } else {
      if (this.#flowLevel === 0) {
        if (!this.#isKeyAllowed) throw reader.fault('mapping values are not allowed in this context');
        this.#roll(reader.column, null, 'block mapping start', reader.mark());
      }
      this.#isKeyAllowed = this.#flowLevel === 0;
    }
    this.#pushSigns(':');
  }

  #anchor(kind: 'alias' | 'anchor'): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#reader.mark();
    this.#push(kind, start, { text: scanAnchor(this.#reader) });
  }

  #tag(): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#reader.mark();
    this.#push('tag', start, { tag: scanTag(this.#reader) });
  }

  #blockScalar(): void {
    this.#removeKey();
    this.#isKeyAllowed = true;
    const start = this.#reader.mark();
    this.#push('quoted', start, { text: scanBlockScalar(this.#reader, this.#indent).text });
  }

  #inlineScalar(kind: 'plain' | 'quoted', scan: () => ScannedScalar): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const start = this.#reader.mark();
    const { text, endsLine } = scan();
    this.#push(kind, start, { text });
    if (endsLine) this.#isKeyAllowed = true;
  }
}
