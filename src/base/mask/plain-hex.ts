// What stands in a line as hexadecimal digits, in pairs or without end: dumps, arrays of C, addresses of Ethernet.
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

const [blank, comma, minus, zero, colon, backslash, letterX] = [0x20, 0x2c, 0x2d, 0x30, 0x3a, 0x5c, 0x78];
/** Each byte in lower case, whether it is a digit, and whether something may begin with it that stands between pairs. */
const lowerOf = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);
const isDigit = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/^[0-9a-fA-F]$/.test(String.fromCharCode(byte))),
);
const isBetween = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(' ,-0:\\'.includes(String.fromCharCode(byte))),
);

/** In lower case, and without what stands between the pairs of digits: `54 72`, `54:72`, `0x54, 0x72`. */
export function plainHex(text: Buffer): PlainText {
  const { put, end } = writePlain(asItIs(text));
  for (let at = 0; at < text.length; ) {
    const byte = text[at] ?? 0;
    const between = isBetween[byte] === 1 && isPair(text, at - 2) ? betweenAt(text, at) : 0;
    if (between === 0) put(lowerOf[byte] ?? 0, at, at);
    at += between === 0 ? 1 : between;
  }
  return end();
}

/** How long what stands here before the next pair is; 0: nothing of the kind. */
function betweenAt(text: Buffer, at: number): number {
  const byte = text[at];
  if (byte === colon || byte === minus) return isPair(text, at + 1) ? 1 : 0;
  if (byte === blank && isPair(text, at + 1)) return 1;
  if (byte === blank && text[at + 1] === blank && isPair(text, at + 2)) return 2;
  let mark = at;
  if (text[mark] === comma) mark++;
  if (text[mark] === blank) mark++;
  const first = text[mark];
  const isMark = (first === zero || first === backslash) && lowerOf[text[mark + 1] ?? 0] === letterX;
  return isMark && isPair(text, mark + 2) ? mark + 2 - at : 0;
}

function isPair(text: Buffer, at: number): boolean {
  return isDigit[text[at] ?? 0] === 1 && isDigit[text[at + 1] ?? 0] === 1;
}
