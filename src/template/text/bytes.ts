// Byte strings. Go's strings are bytes, so a template string here is a JavaScript string with one character (0–255) a
// byte: exact for any bytes, as fast as V8's one-byte strings, `length` is Go's `len`, `<` is Go's order of strings.
// Text of the outside (UTF-16) goes through `encodeText` and `decodeText`; nothing else may mix the two.

const onlyAscii = /^[\0-\x7f]*$/;
const replacementRune = 0xfffd;
const largestRune = 0x10ffff;

/** The UTF-8 bytes of a JavaScript string as a byte string; a lone surrogate becomes U+FFFD. */
export function encodeText(text: string): string {
  return onlyAscii.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** A byte string as a JavaScript string; bytes that are no UTF-8 become U+FFFD. */
export function decodeText(bytes: string): string {
  return onlyAscii.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The bytes themselves. */
export function toBuffer(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

/** A byte string of a buffer's bytes. */
export function fromBuffer(buffer: Buffer): string {
  return buffer.toString('latin1');
}

export interface Rune {
  /** The code point; U+FFFD with size 1 for a byte that begins no rune. */
  readonly rune: number;
  /** Bytes taken, 0 at the end. */
  readonly size: number;
}

const endOfBytes: Rune = { rune: replacementRune, size: 0 };
const badByte: Rune = { rune: replacementRune, size: 1 };

/** The rune that begins at `offset`, as Go's utf8.DecodeRuneInString. */
export function decodeRune(bytes: string, offset: number): Rune {
  if (offset >= bytes.length) return endOfBytes;
  const first = bytes.charCodeAt(offset);
  if (first < 0x80) return { rune: first, size: 1 };
  const size = sequenceLength(first);
  if (size === 0 || offset + size > bytes.length) return badByte;
  let rune = first & (0x7f >> size);
  for (let i = 1; i < size; i++) {
    const next = bytes.charCodeAt(offset + i);
    if ((next & 0xc0) !== 0x80) return badByte;
    rune = (rune << 6) | (next & 0x3f);
  }
  return isEncodedIn(rune, size) ? { rune, size } : badByte;
}

/** The rune that ends at `end` (exclusive), as Go's utf8.DecodeLastRuneInString of the bytes before it. */
export function decodeLastRune(bytes: string, end: number): Rune {
  if (end === 0) return endOfBytes;
  for (let start = end - 1; start >= Math.max(0, end - 4); start--) {
    if ((bytes.charCodeAt(start) & 0xc0) === 0x80) continue;
    const found = decodeRune(bytes, start);
    return start + found.size === end ? found : badByte;
  }
  return badByte;
}

function sequenceLength(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

function isEncodedIn(rune: number, size: number): boolean {
  if (size === 2) return rune >= 0x80;
  if (size === 3) return rune >= 0x800 && !isSurrogate(rune);
  return rune >= 0x10000 && rune <= largestRune;
}

function isSurrogate(rune: number): boolean {
  return rune >= 0xd800 && rune <= 0xdfff;
}

/** Whether the number is a code point that UTF-8 can hold. */
export function isValidRune(rune: number): boolean {
  return rune >= 0 && rune <= largestRune && !isSurrogate(rune);
}

/** The UTF-8 bytes of a rune; an invalid one gives those of U+FFFD, as Go's utf8.AppendRune. */
export function encodeRune(rune: number): string {
  if (rune >= 0 && rune < 0x80) return String.fromCharCode(rune);
  return encodeText(String.fromCodePoint(isValidRune(rune) ? rune : replacementRune));
}

/** The runes of a byte string, each bad byte one U+FFFD: what a `range` over a Go string sees. */
export function decodeRunes(bytes: string): number[] {
  const runes: number[] = [];
  for (let i = 0; i < bytes.length; ) {
    const { rune, size } = decodeRune(bytes, i);
    runes.push(rune);
    i += size;
  }
  return runes;
}

/** How many runes `decodeRunes` would give. */
export function runeCount(bytes: string): number {
  if (onlyAscii.test(bytes)) return bytes.length;
  let count = 0;
  for (let i = 0; i < bytes.length; count++) i += decodeRune(bytes, i).size;
  return count;
}
