// What stands in a text as base32 (RFC 4648, 6), in one letter case, wherever in it it begins and however it is broken into
// lines.
import { shortWordBefore } from './line-breaks.ts';
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

const run =
  /[A-Z2-7]{13,}(?:[ \t]*\\?\r?\n[ \t]*[A-Z2-7]+)*|[a-z2-7]{13,}(?:[ \t]*\\?\r?\n[ \t]*[a-z2-7]+)*/g;
const isOver = /[^=\s\\]/;
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const none = 0xff;
const digitOf = new Uint8Array(256).fill(none);
for (const [value, letter] of [...alphabet].entries()) {
  digitOf[letter.charCodeAt(0)] = value;
  digitOf[letter.toUpperCase().charCodeAt(0)] = value;
}
const isDigit = digitOf.map((value) => Number(value !== none));
/** Eight letters are five bytes: a text may begin at each of them. */
const group = 8;

/** All in one, with a NUL after each; undefined: there are none. */
export function base32Texts(text: Buffer): PlainText | undefined {
  const latin1 = text.toString('latin1');
  const runs = [...latin1.matchAll(run)];
  if (runs.length === 0) return undefined;
  const most = runs.reduce((sum, { 0: letters }) => sum + group * (letters.length + 2 * group + 1), 0);
  const writer = writePlain(asItIs(text), most);
  for (const { index: at, 0: letters } of runs) {
    const index = shortWordBefore(text, at, isDigit);
    const end = at + letters.length;
    const isOpen = !isOver.test(latin1.slice(end));
    for (let first = index, tried = 0; first < end && tried < group; first++) {
      if (digitOf[text[first] ?? 0] === none) continue;
      tried++;
      let bits = 0;
      let count = 0;
      let from = first;
      for (let at = first; at < end; at++) {
        const digit = digitOf[text[at] ?? 0] ?? none;
        if (digit === none) continue;
        if (count === 0) from = at;
        bits = ((bits << 5) | digit) & 0xfff;
        count += 5;
        if (count < 8) continue;
        count -= 8;
        writer.put((bits >>> count) & 0xff, from, at);
        // The letter in which a byte ends has the first bits of the next one.
        from = at;
      }
      if (isOpen) writer.leaveOpen();
      writer.put(0, end - 1, end - 1);
    }
  }
  return writer.end();
}
