// What stands in a text as hexadecimal digits, in pairs or without end: dumps, arrays of C, addresses of Ethernet.
import { byteClass, isHexDigit } from './byte-class.ts';
import { type PlainText, writePlain } from './plain-text.ts';

const [comma, minus, zero, colon, letterX] = [0x2c, 0x2d, 0x30, 0x3a, 0x78];
/** Each byte in lower case, and whether something may begin with it that stands between pairs. */
const lowerOf = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);
const isBetween = byteClass(/[,\-0:xX]/);

/**
 * In lower case, and without what stands between the pairs of digits: `54:72`, `0x54, 0x72`. Of a text that was squeezed:
 * blanks, backslashes and breaks of lines are gone already.
 */
export function plainHex(squeezed: PlainText): PlainText {
  const { bytes: text } = squeezed;
  const { put, leaveOpen, end } = writePlain(squeezed);
  for (let at = 0; at < text.length; ) {
    const byte = text[at] ?? 0;
    const between = isBetween[byte] === 1 && isPair(text, at - 2) ? betweenAt(text, at) : 0;
    if (between === 0) put(lowerOf[byte] ?? 0, at, at);
    at += between === 0 ? 1 : between;
  }
  leaveOpen();
  return end();
}

/** How long what stands here before the next pair, or the end of the text, is; 0: nothing of the kind. */
function betweenAt(text: Buffer, at: number): number {
  const byte = text[at];
  const isEnd = at + 1 === text.length;
  if (byte === colon || byte === minus) return isEnd || isPair(text, at + 1) ? 1 : 0;
  let mark = at;
  if (byte === comma) mark++;
  if (byte === comma && isEnd) return 1;
  if (text[mark] === zero) mark++;
  return lowerOf[text[mark] ?? 0] === letterX && isPair(text, mark + 1) ? mark + 1 - at : 0;
}

function isPair(text: Buffer, at: number): boolean {
  return isHexDigit[text[at] ?? 0] === 1 && isHexDigit[text[at + 1] ?? 0] === 1;
}
