// Texts that stand in a line as base64 (RFC 4648, 4 and 5), wherever in it they begin. What is no text when it is decoded
// (the digits of a UUID, a picture) is left out.
import type { PlainText } from './plain-spelling.ts';

const run = /[A-Za-z0-9+/_-]{16,}/g;

export function base64Texts(line: Buffer): PlainText[] {
  const texts: PlainText[] = [];
  for (const { index, 0: digits } of line.toString('latin1').matchAll(run)) {
    for (const before of [0, 1, 2, 3]) {
      const bytes = Buffer.from(digits.slice(before), 'base64');
      if (isText(bytes)) texts.push({ bytes, ...placesOf(bytes.length, index + before) });
    }
  }
  return texts;
}

function isText(bytes: Buffer): boolean {
  let high = 0;
  for (const byte of bytes) {
    if ((byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 0x7f) return false;
    if (byte >= 0x80) high++;
  }
  return high * 2 <= bytes.length;
}

/** Of the digits that have a bit of each byte. */
function placesOf(length: number, first: number): Pick<PlainText, 'starts' | 'ends'> {
  const [starts, ends] = [new Uint32Array(length), new Uint32Array(length)];
  for (let at = 0; at < length; at++) {
    starts[at] = first + Math.floor((at * 8) / 6);
    ends[at] = first + Math.ceil(((at + 1) * 8) / 6);
  }
  return { starts, ends };
}
