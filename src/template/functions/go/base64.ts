// Go's encoding/base64 and base32 with padding: line ends are skipped, anything else that is foreign is an error with
// its place. Byte strings in and out.
import { fromBuffer, toBuffer } from '../../text/bytes.ts';

export type Base64Alphabet = 'standard' | 'url';

/** Where decoding stopped, as Go's CorruptInputError. */
export interface BadByte {
  readonly badByte: number;
}

const digits: Readonly<Record<Base64Alphabet, RegExp>> = {
  standard: /^[A-Za-z0-9+/]*={0,2}$/,
  url: /^[A-Za-z0-9_-]*={0,2}$/,
};
const digit: Readonly<Record<Base64Alphabet, RegExp>> = { standard: /[A-Za-z0-9+/]/, url: /[A-Za-z0-9_-]/ };
const base32Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function encodeBase64(text: string, alphabet: Base64Alphabet): string {
  const encoded = toBuffer(text).toString('base64');
  return alphabet === 'url' ? encoded.replaceAll('+', '-').replaceAll('/', '_') : encoded;
}

export function decodeBase64(text: string, alphabet: Base64Alphabet): string | BadByte {
  const dense = /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, '') : text;
  if (dense.length % 4 === 0 && digits[alphabet].test(dense)) return fromBuffer(Buffer.from(dense, 'base64'));
  return { badByte: findBadByte(text, digit[alphabet]) };
}

/** Goes through groups of four as Go does, for the place that its error names. */
function findBadByte(text: string, isDigit: RegExp): number {
  let at = 0;
  for (;;) {
    let inGroup = 0;
    while (inGroup < 4) {
      const char = text[at];
      if (char === undefined) return at - inGroup;
      at++;
      if (isDigit.test(char)) inGroup++;
      else if (char !== '\n' && char !== '\r') return char === '=' ? badPadding(text, at, inGroup) : at - 1;
    }
  }
}

/** `at` is behind the first `=`. */
function badPadding(text: string, at: number, inGroup: number): number {
  if (inGroup < 2) return at - 1;
  let next = skipLineEnds(text, at);
  if (inGroup === 2) {
    if (next === text.length) return next;
    if (text[next] !== '=') return next - 1;
    next = skipLineEnds(text, next + 1);
  }
  return next;
}

function skipLineEnds(text: string, from: number): number {
  let at = from;
  while (text[at] === '\n' || text[at] === '\r') at++;
  return at;
}

export function encodeBase32(text: string): string {
  let encoded = '';
  for (let i = 0; i < text.length; i += 5) {
    const group = text.slice(i, i + 5);
    let bits = 0n;
    for (let j = 0; j < 5; j++) bits = (bits << 8n) | BigInt(group.charCodeAt(j) || 0);
    const count = Math.ceil((group.length * 8) / 5);
    for (let j = 0; j < 8; j++) {
      encoded += j < count ? base32Digits[Number((bits >> BigInt(35 - 5 * j)) & 31n)] : '=';
    }
  }
  return encoded;
}

export function decodeBase32(text: string): string | BadByte {
  const dense = text.replace(/[\r\n]+/g, '');
  let decoded = '';
  for (let at = 0; at < dense.length; at += 8) {
    const group = dense.slice(at, at + 8);
    const count = countBase32Digits(dense, at);
    if (typeof count !== 'number') return count;
    let bits = 0n;
    for (let j = 0; j < 8; j++) {
      bits = (bits << 5n) | BigInt(j < count ? base32Digits.indexOf(group[j] ?? '') : 0);
    }
    const bytes = Math.floor((count * 5) / 8);
    for (let j = 0; j < bytes; j++)
      decoded += String.fromCharCode(Number((bits >> BigInt(32 - 8 * j)) & 255n));
    if (count < 8) break;
  }
  return decoded;
}

/** How many digits the group of eight has before its padding. */
function countBase32Digits(dense: string, start: number): number | BadByte {
  for (let j = 0; j < 8; j++) {
    const at = start + j;
    const char = dense[at];
    if (char === undefined) return { badByte: start };
    const left = dense.length - at - 1;
    if (char === '=' && j >= 2 && left < 8) {
      if (left + j < 7) return { badByte: dense.length };
      for (let k = 0; k < 7 - j; k++) {
        if (left > k && dense[at + 1 + k] !== '=') return { badByte: at + k };
      }
      return j === 3 || j === 6 ? { badByte: at } : j;
    }
    if (!base32Digits.includes(char)) return { badByte: at };
  }
  return 8;
}
