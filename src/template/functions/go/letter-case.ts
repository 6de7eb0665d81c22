// Upper, lower and title case as Go's unicode package and golang.org/x/text/cases map them: one rune to one rune, where
// JavaScript may give several (ß, ŉ). Byte strings in and out.
import { decodeRune, encodeRune, encodeText, isValidRune } from '../../text/bytes.ts';

const onlyAscii = /^[\0-\x7f]*$/;
const alphabetic = /^\p{Alphabetic}$/u;
const cased = /^\p{Cased}$/u;
const upperLetter = /^\p{Lu}$/u;
const lowerLetter = /^\p{Ll}$/u;
const titleLetter = /^\p{Lt}$/u;

/** As many arguments as a call can take without doubt. */
const runesAtOnce = 4096;

type Mapping = (rune: number) => number;

/** As strings.ToUpper. */
export function toUpper(bytes: string): string {
  return onlyAscii.test(bytes) ? bytes.toUpperCase() : mapRunes(bytes, upperRune);
}

/** As strings.ToLower. */
export function toLower(bytes: string): string {
  return onlyAscii.test(bytes) ? bytes.toLowerCase() : mapRunes(bytes, lowerRune);
}

/** Maps each rune; a byte that begins none becomes U+FFFD, as in Go's strings.Map. */
export function mapRunes(bytes: string, mapping: Mapping): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const mapped: number[] = [];
    while (at < bytes.length && mapped.length < runesAtOnce) {
      const { rune, size } = decodeRune(bytes, at);
      const other = mapping(rune);
      mapped.push(isValidRune(other) ? other : 0xfffd);
      at += size;
    }
    text += encodeText(String.fromCodePoint(...mapped));
  }
  return text;
}

/** As unicode.ToUpper. */
export function upperRune(rune: number): number {
  if (rune < 0x80) return rune >= 0x61 && rune <= 0x7a ? rune - 32 : rune;
  if (isNewerThanGo(rune)) return rune;
  return single(String.fromCodePoint(rune).toUpperCase()) ?? greekWithIota(rune);
}

/** As unicode.ToLower. */
export function lowerRune(rune: number): number {
  if (rune < 0x80) return rune >= 0x41 && rune <= 0x5a ? rune + 32 : rune;
  if (rune === 0x130) return 0x69;
  return isNewerThanGo(rune) ? rune : (single(String.fromCodePoint(rune).toLowerCase()) ?? rune);
}

/** As unicode.ToTitle: the upper case, but for the digraphs (ǆ → ǅ) and Georgian, which has none. */
export function titleRune(rune: number): number {
  if ((rune >= 0x1c4 && rune <= 0x1cc) || (rune >= 0x1f1 && rune <= 0x1f3)) {
    return rune < 0x1c7 ? 0x1c5 : rune < 0x1ca ? 0x1c8 : rune < 0x1f1 ? 0x1cb : 0x1f2;
  }
  return rune >= 0x10d0 && rune <= 0x10ff ? rune : upperRune(rune);
}

function single(text: string): number | undefined {
  const rune = text.codePointAt(0) ?? 0;
  return text.length === (rune > 0xffff ? 2 : 1) ? rune : undefined;
}

/** ᾀ and its like: JavaScript writes the iota out, Go has a letter of its own for it. */
function greekWithIota(rune: number): number {
  if (rune >= 0x1f80 && rune <= 0x1faf) return rune | 8;
  return rune === 0x1fb3 || rune === 0x1fc3 || rune === 0x1ff3 ? rune + 9 : rune;
}

/** Pairs of Unicode 16 and later, which Go 1.24 (Unicode 15) leaves as they are. */
function isNewerThanGo(rune: number): boolean {
  return (
    rune === 0x19b ||
    rune === 0x264 ||
    (rune >= 0x1c89 && rune <= 0x1c8a) ||
    (rune >= 0xa7cb && rune <= 0xa7cf) ||
    (rune >= 0xa7d2 && rune <= 0xa7d5) ||
    (rune >= 0xa7da && rune <= 0xa7dc) ||
    (rune >= 0x10d50 && rune <= 0x10d85) ||
    (rune >= 0x16ea0 && rune <= 0x16ed3)
  );
}

export function isUpper(rune: number): boolean {
  return upperLetter.test(String.fromCodePoint(rune));
}

export function isLower(rune: number): boolean {
  return lowerLetter.test(String.fromCodePoint(rune));
}

export function isTitle(rune: number): boolean {
  return titleLetter.test(String.fromCodePoint(rune));
}

/** As unicode.IsSpace. */
export function isSpace(rune: number): boolean {
  if (rune <= 0xff) return (rune >= 9 && rune <= 13) || rune === 0x20 || rune === 0x85 || rune === 0xa0;
  return (
    rune === 0x1680 ||
    (rune >= 0x2000 && rune <= 0x200a) ||
    rune === 0x2028 ||
    rune === 0x2029 ||
    rune === 0x202f ||
    rune === 0x205f ||
    rune === 0x3000
  );
}

const middle = /^['.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a]$/u;
/** What never breaks a word in two: marks, digits, connectors, modifiers. */
const joiner =
  /^[\p{M}\p{Nd}\p{Pc}\p{Cf}\u02c2-\u02d7\u02de-\u02ff\u055a-\u055c\u055e\u058a\u05f3\u066b\u202f\ua708-\ua716\ua720\ua721\ua789\ua78a\u200c\u200d]$/u;
/** Letters that are words of their own: ideographs, kana, the scripts of South East Asia that write no spaces. */
const lonely =
  /^[\p{Ideographic}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tai_Le}\p{sc=New_Tai_Lue}\p{sc=Tai_Tham}\p{sc=Tai_Viet}\p{sc=Ahom}\u3031-\u3035\u30fc\uff70]$/u;

/** The title case that x/text/cases gives with NoLower: the first cased letter of each word, nothing else. */
export function titleWords(bytes: string): string {
  let text = '';
  let isInWord = false;
  let wasMiddle = false;
  for (let i = 0; i < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, i);
    const char = String.fromCodePoint(rune);
    const isMiddle = middle.test(char);
    if (wasMiddle && isMiddle) isInWord = false;
    if (cased.test(char)) {
      text += isInWord ? bytes.slice(i, i + size) : fullTitle(rune);
      isInWord = true;
    } else {
      text += bytes.slice(i, i + size);
      if (!isMiddle && endsWord(char)) isInWord = false;
    }
    wasMiddle = isMiddle;
    i += size;
  }
  return text;
}

function endsWord(char: string): boolean {
  if (char === '\u200b') return true;
  return !joiner.test(char) && (lonely.test(char) || !alphabetic.test(char));
}

/** The full mapping, which may give several runes: ß → Ss. A written-out iota becomes the combining one. */
function fullTitle(rune: number): string {
  const upper = [...String.fromCodePoint(rune).toUpperCase()].map((char) => char.codePointAt(0) ?? 0);
  const title = titleRune(rune);
  if (title !== rune || upper.length === 1 || isTitle(rune)) return encodeRune(title);
  const isApostropheN = rune === 0x149;
  return upper
    .map((next, at) => (at === 0 || isApostropheN ? next : next === 0x399 ? 0x345 : lowerRune(next)))
    .map(encodeRune)
    .join('');
}
