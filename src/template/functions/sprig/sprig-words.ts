// Words as the libraries below sprig find them: goutils (wrap, abbreviate, initials, cases) and xstrings (snake_case).

import type { CallContext } from '../../exec/function-table.ts';
import { decodeRune, decodeRunes, encodeRune } from '../../text/bytes.ts';
import {
  isLower,
  isSpace,
  isTitle,
  isUpper,
  lowerRune,
  mapRunes,
  titleRune,
  upperRune,
} from '../go/letter-case.ts';

const letter = /^\p{L}$/u;
const number = /^\p{N}$/u;
const punctuation = /^\p{P}$/u;

/** As strings.Title: the letter after anything that is no letter, digit or underscore. */
export function titleLetters(text: string): string {
  let isAtStart = true;
  return mapRunes(text, (rune) => {
    const mapped = isAtStart ? titleRune(rune) : rune;
    isAtStart = isSeparator(rune);
    return mapped;
  });
}

/** As Go's strings package: only spaces separate outside of ASCII. */
function isSeparator(rune: number): boolean {
  const char = String.fromCodePoint(rune);
  if (rune < 0x80) return !/[A-Za-z0-9_]/.test(char);
  return !letter.test(char) && !/^\p{Nd}$/u.test(char) && isSpace(rune);
}

/** The first letter of each word in lower case. */
export function uncapitalize(text: string): string {
  let isAtStart = true;
  return mapRunes(text, (rune) => {
    if (isSpace(rune)) {
      isAtStart = true;
      return rune;
    }
    const mapped = isAtStart ? lowerRune(rune) : rune;
    isAtStart = false;
    return mapped;
  });
}

/** Upper becomes lower, lower upper, or title at the start of a word. */
export function swapCase(text: string): string {
  let isAfterSpace = true;
  return mapRunes(text, (rune) => {
    if (isUpper(rune) || isTitle(rune)) {
      isAfterSpace = false;
      return lowerRune(rune);
    }
    if (!isLower(rune)) {
      isAfterSpace = isSpace(rune);
      return rune;
    }
    const mapped = isAfterSpace ? titleRune(rune) : upperRune(rune);
    isAfterSpace = false;
    return mapped;
  });
}

/** The first byte of each word, taken for a character. */
export function initials(text: string): string {
  let out = '';
  let isAtStart = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isSpace(code)) isAtStart = true;
    else if (isAtStart) {
      out += encodeRune(code);
      isAtStart = false;
    }
  }
  return out;
}

/** `width` bytes at most, `...` at the end, and at the start when `offset` is beyond the first few. */
export function abbreviate(text: string, offset: number, width: number): string {
  if (text.length <= width) return text;
  let from = Math.min(offset, text.length);
  if (text.length - from < width - 3) from = text.length - (width - 3);
  if (from <= 4) return `${text.slice(0, width - 3)}...`;
  if (width < 7) return '';
  if (from + width - 3 < text.length) {
    return width - 3 < 4 ? '...' : `...${abbreviate(text.slice(from), 0, width - 3)}`;
  }
  return `...${text.slice(text.length - (width - 3))}`;
}

/** Breaks lines at spaces; words longer than a line are cut only when told. */
export function wrapText(
  context: CallContext,
  text: string,
  width: bigint,
  separator: string,
  cutsWords: boolean,
): string {
  const length = width < 1n ? 1 : Number(width > BigInt(text.length) ? text.length : width);
  const lineEnd = separator === '' ? '\n' : separator;
  let out = '';
  let offset = 0;
  while (text.length - offset > length) {
    if (text[offset] === ' ') {
      offset++;
      continue;
    }
    const spaceAt = text.slice(offset, offset + length + 1).lastIndexOf(' ');
    const size = spaceAt >= 0 ? spaceAt : cutsWords ? length : untilSpace(text, offset, length);
    out += text.slice(offset, offset + size);
    offset += size;
    if (offset >= text.length) return out;
    out += lineEnd;
    if (spaceAt >= 0 || !cutsWords) offset++;
    if (out.length > context.limits.stringBytes) context.claim(out.length);
  }
  return out + text.slice(offset);
}

/** The size of a word that is longer than a line. */
function untilSpace(text: string, offset: number, length: number): number {
  const at = text.indexOf(' ', offset + length);
  return (at < 0 ? text.length : at) - offset;
}

/** some_words → SomeWords; connectors at the start stay. */
export function camelCase(text: string): string {
  const runes = decodeRunes(text);
  let out = '';
  let at = 0;
  while (at < runes.length && isConnector(runes[at] ?? 0)) out += encodeRune(runes[at++] ?? 0);
  if (at >= runes.length) return runes.length === 0 ? '' : out + encodeRune(runes.at(-1) ?? 0);
  let current = upperRune(runes[at++] ?? 0);
  for (; at < runes.length; at++) {
    const previous = current;
    current = runes[at] ?? 0;
    if (isConnector(current) && isConnector(previous)) {
      out += encodeRune(previous);
      continue;
    }
    if (isConnector(previous)) current = upperRune(current);
    else out += encodeRune(previous);
  }
  return out + encodeRune(current);
}

function isConnector(rune: number): boolean {
  return rune === 0x2d || rune === 0x5f || isSpace(rune);
}

type WordKind = 'invalid' | 'number' | 'upper' | 'alphabet' | 'connector' | 'punctuation' | 'other';

interface Word {
  readonly kind: WordKind;
  readonly text: string;
}

/** someWords → some_words: a connector between words, and before or after numbers as xstrings sees fit. */
export function separateWords(text: string, connector: string): string {
  const words = splitWords(text);
  let out = '';
  let at = 0;
  const write = (word: Word): void => {
    out += lowered(word, connector);
  };
  const kindAt = (index: number): WordKind => words[index]?.kind ?? 'invalid';
  const ends = (kind: WordKind): boolean => kind === 'connector' || kind === 'punctuation';
  const writeRun = (): void => {
    for (; kindAt(at) === 'alphabet' || kindAt(at) === 'number'; at++) write(words[at] as Word);
    if (kindAt(at) !== 'invalid' && !ends(kindAt(at))) out += connector;
  };
  while (at < words.length - 1) {
    const word = words[at] as Word;
    if (word.kind !== 'connector') write(word);
    at++;
    if (word.kind === 'number') writeRun();
    else if (word.kind === 'connector') write(word);
    else if (word.kind === 'punctuation') continue;
    else if (kindAt(at) !== 'number') {
      if (!ends(kindAt(at))) out += connector;
    } else if (at < words.length - 1) {
      const digits = words[at++] as Word;
      if (kindAt(at) === 'alphabet') {
        out += connector;
        write(digits);
        writeRun();
      } else {
        write(digits);
        if (!ends(kindAt(at))) out += connector;
      }
    }
  }
  const last = words[at];
  return last === undefined ? out : out + lowered(last, connector);
}

/** Only words in upper case and connectors change. */
function lowered(word: Word, connector: string): string {
  if (word.kind !== 'upper' && word.kind !== 'connector') return word.text;
  return decodeRunes(word.text)
    .map((rune) => (isConnector(rune) ? connector : encodeRune(isUpper(rune) ? lowerRune(rune) : rune)))
    .join('');
}

function splitWords(text: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < text.length; ) {
    const { rune, size } = decodeRune(text, at);
    const kind = kindOf(rune);
    const end = kind === 'upper' ? endOfUpper(text, at + size) : endOf(text, at + size, kind);
    words.push({ kind, text: text.slice(at, end) });
    at = end;
  }
  return words;
}

function kindOf(rune: number): WordKind {
  const char = String.fromCodePoint(rune);
  if (isConnector(rune)) return 'connector';
  if (isPunctuation(rune)) return 'punctuation';
  if (isUpper(rune)) return 'upper';
  if (isAlphabet(rune)) return 'alphabet';
  return number.test(char) ? 'number' : 'other';
}

function isPunctuation(rune: number): boolean {
  return punctuation.test(String.fromCodePoint(rune));
}

/** Any letter but a Chinese character, within the bounds that xstrings knows. */
function isAlphabet(rune: number): boolean {
  const isChinese =
    (rune >= 0x4e00 && rune <= 0x9fcc) ||
    (rune >= 0x3400 && rune <= 0x4d85) ||
    (rune >= 0x20000 && rune <= 0x2b81d);
  return !isChinese && letter.test(String.fromCodePoint(rune));
}

function endOf(text: string, from: number, kind: WordKind): number {
  let at = from;
  while (at < text.length) {
    const { rune, size } = decodeRune(text, at);
    const isMore = kind === 'punctuation' ? isPunctuation(rune) : kindOf(rune) === kind;
    if (!isMore) break;
    at += size;
  }
  return at;
}

/** HTTPStatus is HTTP and Status: the last capital before a small letter belongs to what follows. */
function endOfUpper(text: string, from: number): number {
  const { rune, size } = decodeRune(text, from);
  if (size === 0 || !isAlphabet(rune)) return from;
  if (!isUpper(rune)) return endOf(text, from, 'alphabet');
  let at = from;
  let lastSize = 0;
  while (at < text.length) {
    const next = decodeRune(text, at);
    if (!isUpper(next.rune)) return isAlphabet(next.rune) ? at - lastSize : at;
    lastSize = next.size;
    at += next.size;
  }
  return at;
}
