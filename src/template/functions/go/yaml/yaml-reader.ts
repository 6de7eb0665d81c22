// The text of a YAML document under a cursor, in libyaml's terms: what is a break, a blank, the end; lines and columns.
import { type CallError, callError, plain } from '../../../exec/function-table.ts';

export interface Mark {
  readonly index: number;
  /** From 0. */
  readonly line: number;
  readonly column: number;
}

const end = 0;
const tab = 0x09;
const space = 0x20;

export class YamlReader {
  readonly text: string;
  index = 0;
  line = 0;
  column = 0;

  constructor(text: string) {
    this.text = text;
  }

  mark(): Mark {
    return { index: this.index, line: this.line, column: this.column };
  }

  /** The character at the offset; 0 at the end. */
  at(offset = 0): number {
    const index = this.index + offset;
    return index < this.text.length ? this.text.charCodeAt(index) : end;
  }

  char(offset = 0): string {
    return this.text.charAt(this.index + offset);
  }

  isEnd(offset = 0): boolean {
    return this.at(offset) === end;
  }

  isSpace(): boolean {
    return this.at() === space;
  }

  isBlank(offset = 0): boolean {
    const code = this.at(offset);
    return code === space || code === tab;
  }

  isBreak(offset = 0): boolean {
    const code = this.at(offset);
    return code === 0x0a || code === 0x0d || code === 0x85 || code === 0x2028 || code === 0x2029;
  }

  isBreakOrEnd(offset = 0): boolean {
    return this.isBreak(offset) || this.isEnd(offset);
  }

  isBlankOrEnd(offset = 0): boolean {
    return this.isBlank(offset) || this.isBreakOrEnd(offset);
  }

  skip(count = 1): void {
    this.index += count;
    this.column += count;
  }

  /** Takes the character. */
  read(): string {
    const char = this.char();
    this.skip();
    return char;
  }

  /** Takes a line end, which is a line feed whatever it was; U+2028 and U+2029 stay. */
  readLine(): string {
    const code = this.at();
    this.index += code === 0x0d && this.at(1) === 0x0a ? 2 : 1;
    this.line++;
    this.column = 0;
    return code === 0x2028 || code === 0x2029 ? String.fromCharCode(code) : '\n';
  }

  skipBlanks(): void {
    while (this.isBlank()) this.skip();
  }

  skipComment(): void {
    if (this.char() === '#') while (!this.isBreakOrEnd()) this.skip();
  }

  /** Whether `---` or `...` stands alone at the start of the line. */
  isDocumentIndicator(): boolean {
    if (this.column !== 0 || !this.isBlankOrEnd(3)) return false;
    const text = this.text.slice(this.index, this.index + 3);
    return text === '---' || text === '...';
  }

  /** The error of scanning at this place. */
  fault(problem: string, context: Mark = this.mark()): CallError {
    return yamlError(problem, this.line === 0 ? context.line : this.line + 1);
  }
}

/** `line` as go-yaml tells it; 0 when it tells none. */
export function yamlError(problem: string, line: number): CallError {
  return callError`yaml: ${plain(line === 0 ? '' : `line ${line}: `)}${plain(problem)}`;
}

const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/;

/** libyaml refuses them wherever they stand. */
export function checkCharacters(text: string): void {
  if (forbidden.test(text)) throw callError`yaml: control characters are not allowed`;
}
