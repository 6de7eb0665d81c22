// Texts that stand in a line as base64 (RFC 4648, 4 and 5), wherever in it they begin. What is no text when it is decoded
// (the digits of a UUID, a picture) is left out.
import type { PlainText } from './plain-text.ts';

const run = /[A-Za-z0-9+/_-]{16,}/g;

/**
 * All in one, with a NUL after each: a program that prints many short ones must not have every secret looked for in each by
 * itself. Undefined: there are none.
 */
export function base64Texts(line: Buffer): PlainText | undefined {
  const texts: { readonly bytes: Buffer; readonly first: number }[] = [];
  let length = 0;
  for (const { index, 0: digits } of line.toString('latin1').matchAll(run)) {
    for (const before of [0, 1, 2, 3]) {
      const bytes = Buffer.from(digits.slice(before), 'base64');
      if (!isText(bytes)) continue;
      texts.push({ bytes, first: index + before });
      length += bytes.length + 1;
    }
  }
  return length === 0 ? undefined : joined(texts, length);
}

/** With the places of the digits that have a bit of each byte. */
function joined(
  texts: readonly { readonly bytes: Buffer; readonly first: number }[],
  length: number,
): PlainText {
  const [starts, ends] = [new Uint32Array(length), new Uint32Array(length)];
  const all = Buffer.alloc(length);
  let begin = 0;
  for (const { bytes, first } of texts) {
    bytes.copy(all, begin);
    for (let at = 0; at < bytes.length; at++) {
      starts[begin + at] = first + Math.floor((at * 8) / 6);
      ends[begin + at] = first + Math.ceil(((at + 1) * 8) / 6);
    }
    begin += bytes.length + 1;
  }
  return { bytes: all, starts, ends };
}

function isText(bytes: Buffer): boolean {
  let high = 0;
  for (const byte of bytes) {
    if ((byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 0x7f) return false;
    if (byte >= 0x80) high++;
  }
  return high * 2 <= bytes.length;
}
