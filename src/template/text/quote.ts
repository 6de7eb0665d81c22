// Go's strconv for strings and characters: quoting, unquoting. Byte strings in and out.
import { decodeRune, encodeRune, isValidRune } from './bytes.ts';
import { isPrint } from './unicode.ts';

const escapes: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
};
const plainText = /^[ !#-[\]-~]*$/;

/** A Go string constant in double quotes, as %q. */
export function quoteString(bytes: string, isAsciiOnly = false): string {
  if (plainText.test(bytes)) return `"${bytes}"`;
  let text = '"';
  for (let i = 0; i < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, i);
    text +=
      size === 1 && rune === 0xfffd ? hexEscape(bytes.charCodeAt(i)) : quoteRunePart(rune, '"', isAsciiOnly);
    i += size;
  }
  return `${text}"`;
}

/** A Go character constant in single quotes; an invalid rune gives '�'. */
export function quoteRune(rune: number, isAsciiOnly = false): string {
  return `'${quoteRunePart(isValidRune(rune) ? rune : 0xfffd, "'", isAsciiOnly)}'`;
}

function quoteRunePart(rune: number, quote: string, isAsciiOnly: boolean): string {
  if (rune === 0x5c || rune === quote.charCodeAt(0)) return `\\${String.fromCharCode(rune)}`;
  if ((rune < 0x80 || !isAsciiOnly) && isPrint(rune)) return encodeRune(rune);
  const short = escapes[rune];
  if (short !== undefined) return short;
  if (rune < 0x20 || rune === 0x7f) return hexEscape(rune);
  return rune < 0x10000 ? `\\u${hex(rune, 4)}` : `\\U${hex(rune, 8)}`;
}

function hexEscape(byte: number): string {
  return `\\x${hex(byte, 2)}`;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

/** Whether the string can stand unchanged between back quotes on one line. */
export function canBackquote(bytes: string): boolean {
  for (let i = 0; i < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, i);
    if (size === 1 && (rune === 0xfffd || (rune < 0x20 && rune !== 9) || rune === 0x60 || rune === 0x7f))
      return false;
    if (rune === 0xfeff) return false;
    i += size;
  }
  return true;
}

/** The string that a Go string constant (in double or back quotes) stands for; null when it is malformed. */
export function unquoteString(source: string): string | null {
  const quote = source[0];
  if (source.length < 2 || quote !== source.at(-1)) return null;
  const inner = source.slice(1, -1);
  if (quote === '`') return inner.includes('`') ? null : inner.replaceAll('\r', '');
  if (quote !== '"' || inner.includes('\n')) return null;
  if (plainText.test(inner)) return inner;
  let text = '';
  for (let i = 0; i < inner.length; ) {
    const char = unquoteChar(inner, i, '"');
    if (char === null) return null;
    text += char.isByte ? String.fromCharCode(char.rune) : encodeRune(char.rune);
    i += char.size;
  }
  return text;
}

interface UnquotedChar {
  readonly rune: number;
  /** Source bytes taken. */
  readonly size: number;
  /** Whether the value is one byte (`\x80`, `\200`, ASCII), not the UTF-8 of a rune. */
  readonly isByte: boolean;
}

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
};
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The first character of the inside of a quoted constant; null when it is malformed. */
export function unquoteChar(source: string, offset: number, quote: string): UnquotedChar | null {
  const first = source[offset];
  if (first === undefined || first === quote) return null;
  if (first !== '\\') {
    const { rune, size } = decodeRune(source, offset);
    return { rune, size, isByte: rune < 0x80 };
  }
  const letter = source[offset + 1] ?? '';
  const simple = simpleEscapes[letter];
  if (simple !== undefined) return { rune: simple, size: 2, isByte: true };
  if (letter === quote) return { rune: quote.charCodeAt(0), size: 2, isByte: true };
  const digits = hexDigits[letter];
  return digits === undefined ? unquoteOctal(source, offset) : unquoteHex(source, offset, digits);
}

function unquoteHex(source: string, offset: number, digits: number): UnquotedChar | null {
  const text = source.slice(offset + 2, offset + 2 + digits);
  if (text.length < digits || !/^[0-9a-fA-F]+$/.test(text)) return null;
  const rune = Number.parseInt(text, 16);
  if (digits === 2) return { rune, size: 4, isByte: true };
  return isValidRune(rune) ? { rune, size: 2 + digits, isByte: rune < 0x80 } : null;
}

function unquoteOctal(source: string, offset: number): UnquotedChar | null {
  const text = source.slice(offset + 1, offset + 4);
  if (!/^[0-7]{3}$/.test(text)) return null;
  const rune = Number.parseInt(text, 8);
  return rune > 255 ? null : { rune, size: 4, isByte: true };
}
