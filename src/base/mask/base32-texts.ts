// What stands in a line as base32 (RFC 4648, 6), in one letter case, wherever in it it begins.
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

const run = /[A-Z2-7]{13,}|[a-z2-7]{13,}/g;
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const digitOf = new Uint8Array(128);
for (const [value, letter] of [...alphabet].entries()) {
  digitOf[letter.charCodeAt(0)] = value;
  digitOf[letter.toUpperCase().charCodeAt(0)] = value;
}
/** Eight letters are five bytes: a text may begin at each of them. */
const group = 8;

/** All in one, with a NUL after each; undefined: there are none. */
export function base32Texts(line: Buffer): PlainText | undefined {
  const runs = [...line.toString('latin1').matchAll(run)];
  if (runs.length === 0) return undefined;
  const most = runs.reduce((sum, { 0: letters }) => sum + group * letters.length, 0);
  const writer = writePlain(asItIs(line), most);
  for (const { index, 0: letters } of runs) {
    const end = index + letters.length;
    for (let first = index; first < index + group; first++) {
      let bits = 0;
      let count = 0;
      let from = first;
      for (let at = first; at < end; at++) {
        bits = ((bits << 5) | (digitOf[line[at] ?? 0] ?? 0)) & 0xfff;
        count += 5;
        if (count < 8) continue;
        count -= 8;
        writer.put((bits >>> count) & 0xff, from, at);
        // The letter in which a byte ends has the first bits of the next one.
        from = count === 0 ? at + 1 : at;
      }
      writer.put(0, end - 1, end - 1);
    }
  }
  return writer.end();
}
