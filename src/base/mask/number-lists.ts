// Bytes that a program prints as numbers: `[104 117]` of Go, `[104, -61]` of Java, `[104,117]` of JSON and its
// `{"0":104,"1":117}` of typed arrays, `{0x68, 0xa}` of Go's syntax.
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

const number = String.raw`(?:0[xX][0-9a-fA-F]{1,2}|-?\d{1,3})`;
const between = String.raw`(?:, {0,3}(?:"\d{1,6}": ?)?| {1,3}|;)`;
const list = new RegExp(String.raw`(?<![\w.-])${number}(?:${between}${number}){3,}(?![\w.])`, 'g');
/** Each number of a list, and what stands before it. */
const item = new RegExp(`${between}?(${number})`, 'y');

/** All in one, with a NUL after each; undefined: there are none. */
export function numberLists(line: Buffer): PlainText | undefined {
  const lists = [...line.toString('latin1').matchAll(list)];
  if (lists.length === 0) return undefined;
  const writer = writePlain(asItIs(line), line.length);
  for (const { index, 0: text } of lists) {
    item.lastIndex = 0;
    for (let match = item.exec(text); match !== null; match = item.exec(text)) {
      const [, digits = ''] = match;
      const end = index + item.lastIndex;
      const value = Number(digits);
      // Signed in Java; what is no byte is none of a secret.
      if (value >= -128 && value <= 255) writer.put(value & 0xff, end - digits.length, end - 1);
      else writer.put(0, end - 1, end - 1);
    }
    item.lastIndex = 0;
    const last = index + text.length - 1;
    writer.put(0, last, last);
  }
  return writer.end();
}
