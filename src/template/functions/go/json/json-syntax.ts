// Finds what is wrong with JSON text and says it in the words of Go's encoding/json. Only for text that was refused.

import { type CallContext, type CallError, callError, plain, shownAs } from '../../../exec/function-table.ts';
import { encodeText } from '../../../text/bytes.ts';
import { quoteString } from '../../../text/quote.ts';
import { endOf, partsALook, plainText, space } from './json-scan.ts';

const digits = /[0-9]*/y;
const hexDigit = /[0-9a-fA-F]/;
const literals: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };

/** Reads through the text; throws at the first character that cannot stand there. */
export function checkJson(context: CallContext, bytes: string): void {
  new Checker(context, bytes).run();
}

/** What a container waits for next. */
type Expectation = 'value' | 'first value' | 'first key' | 'key' | 'colon' | 'object end' | 'array end';

/** A scanner with a stack of its own, so that deep text cannot exhaust the host's. */
class Checker {
  readonly #context: CallContext;
  readonly #text: string;
  #at = 0;
  readonly #stack: Expectation[] = [];

  constructor(context: CallContext, text: string) {
    this.#context = context;
    this.#text = text;
  }

  run(): void {
    this.#value();
    while (this.#stack.length > 0) this.#step();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#error('after top-level value');
  }

  #step(): void {
    this.#context.spend(1);
    this.#skipSpace();
    const char = this.#peek();
    const top = this.#stack.length - 1;
    switch (this.#stack[top]) {
      case 'first key':
        if (char === '}') this.#pop();
        else this.#key(top);
        return;
      case 'key':
        this.#key(top);
        return;
      case 'colon':
        if (char !== ':') throw this.#error('after object key');
        this.#at++;
        this.#stack[top] = 'object end';
        this.#value();
        return;
      case 'object end':
        if (char === '}') this.#pop();
        else if (char === ',') this.#next(top, 'key');
        else throw this.#error('after object key:value pair');
        return;
      case 'first value':
        this.#stack[top] = 'array end';
        if (char === ']') this.#pop();
        else this.#value();
        return;
      case 'value':
        this.#stack[top] = 'array end';
        this.#value();
        return;
      default:
        if (char === ']') this.#pop();
        else if (char === ',') this.#next(top, 'value');
        else throw this.#error('after array element');
    }
  }

  #pop(): void {
    this.#at++;
    this.#stack.pop();
  }

  #next(top: number, expectation: Expectation): void {
    this.#at++;
    this.#stack[top] = expectation;
  }

  #key(top: number): void {
    if (this.#peek() !== '"') throw this.#error('looking for beginning of object key string');
    this.#string();
    this.#stack[top] = 'colon';
  }

  #value(): void {
    this.#skipSpace();
    const char = this.#peek();
    if (char === '{' || char === '[') {
      this.#at++;
      this.#stack.push(char === '{' ? 'first key' : 'first value');
      if (this.#stack.length > 10_000) throw callError`exceeded max depth`;
    } else if (char === '"') this.#string();
    else if (char === '-' || /[0-9]/.test(char)) this.#number();
    else if (literals[char] !== undefined) this.#literal(literals[char]);
    else throw this.#error('looking for beginning of value');
  }

  #literal(word: string): void {
    this.#at++;
    for (const expected of word.slice(1)) {
      if (this.#peekOrSpace() !== expected) {
        throw this.#error(`in literal ${word} (expecting '${expected}')`);
      }
      this.#at++;
    }
  }

  #string(): void {
    this.#at++;
    for (let parts = 1; ; parts++) {
      if (parts % partsALook === 0) this.#context.lookAtTime();
      this.#at = endOf(plainText, this.#text, this.#at);
      const char = this.#peek();
      if (char < ' ') throw this.#error('in string literal');
      this.#at++;
      if (char === '"') return;
      if (char === '\\') this.#escape();
    }
  }

  #escape(): void {
    const char = this.#peekOrSpace();
    if (char !== 'u') {
      if (!'bfnrt\\/"'.includes(char)) throw this.#error('in string escape code');
      this.#at++;
      return;
    }
    this.#at++;
    for (let i = 0; i < 4; i++) {
      if (!hexDigit.test(this.#peekOrSpace())) throw this.#error('in \\u hexadecimal character escape');
      this.#at++;
    }
  }

  #number(): void {
    if (this.#peekOrSpace() === '-') this.#at++;
    if (this.#peekOrSpace() === '0') this.#at++;
    else if (/[1-9]/.test(this.#peekOrSpace())) this.#digits();
    else throw this.#error('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      if (!/[0-9]/.test(this.#peekOrSpace())) throw this.#error('after decimal point in numeric literal');
      this.#digits();
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at++;
      if (/[+-]/.test(this.#peekOrSpace())) this.#at++;
      if (!/[0-9]/.test(this.#peekOrSpace())) throw this.#error('in exponent of numeric literal');
      this.#digits();
    }
  }

  #digits(): void {
    this.#at = endOf(digits, this.#text, this.#at);
  }

  #skipSpace(): void {
    this.#at = endOf(space, this.#text, this.#at);
  }

  /** Within a word or number, Go takes the end of the text for a space. */
  #peekOrSpace(): string {
    return this.#text[this.#at] ?? ' ';
  }

  /** The next character; the end of the text is an error wherever one is wanted. */
  #peek(): string {
    const char = this.#text[this.#at];
    if (char === undefined) throw callError`unexpected end of JSON input`;
    return char;
  }

  #error(where: string): CallError {
    const char = this.#peekOrSpace();
    return callError`invalid character ${shownAs(char, quoteCharacter(char))} ${plain(where)}`;
  }
}

/** As encoding/json's quoteChar: the byte taken for a rune. */
function quoteCharacter(char: string): string {
  if (char === "'") return `'\\''`;
  if (char === '"') return `'"'`;
  const rune = char.charCodeAt(0);
  const text = rune < 0x80 ? char : encodeText(char);
  return `'${quoteString(text).slice(1, -1)}'`;
}
