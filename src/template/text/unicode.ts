// Classes of characters as Go's unicode and strconv packages see them.

const letter = /^\p{L}$/u;
const digit = /^\p{Nd}$/u;
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

function matches(pattern: RegExp, rune: number): boolean {
  return pattern.test(String.fromCodePoint(rune));
}

/** A letter or a decimal digit of any script, or `_`: what names in templates are made of. */
export function isAlphaNumeric(rune: number): boolean {
  if (rune < 0x80) {
    return (
      (rune >= 0x61 && rune <= 0x7a) ||
      (rune >= 0x41 && rune <= 0x5a) ||
      (rune >= 0x30 && rune <= 0x39) ||
      rune === 0x5f
    );
  }
  return matches(letter, rune) || matches(digit, rune);
}

/** A letter, mark, number, punctuation or symbol, or the ASCII space. */
export function isPrint(rune: number): boolean {
  return rune < 0x80 ? rune >= 0x20 && rune < 0x7f : matches(printable, rune);
}
