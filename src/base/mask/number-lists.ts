// Bytes that a program prints as numbers, on one line or many: `[104 117]` of Go, `[104, -61]` of Java, `[104,117]` of JSON
// and its `{"0":104,"1":117}` of typed arrays, `{0x68, 0xa}` of Go's syntax, `[0] => 104` of PHP, `- 104` of YAML, decimal
// and octal dumps of od.
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

const number = String.raw`(?:0[xX][0-9a-fA-F]{1,2}|-?\d{1,3})`;
const space = String.raw`[ \t\r\n]`;
/** What stands before a number where each has its index or a mark; od's count of bytes. */
const key = String.raw`(?:["\[]?\d{1,6}["\]]? ?(?:=>|:)${space}{0,80}(?:int\()?|- |0[0-9a-f]{6} {1,3})`;
const between = String.raw`(?:\)?[,;]${space}{0,80}|\)?${space}{1,80})${key}?`;
const end = String.raw`\)?[,;]?${space}{0,80}${key}?${space}{0,80}$`;
const listStart = String.raw`(?<![\w.-])`;
const whole = `${listStart}${number}(?:${between}${number}){3,}(?![\\w.])`;
/** It may be a list with what comes. */
const begun = `${listStart}${number}(?:${between}${number}){0,2}(?=${end})`;
const list = new RegExp(`${whole}|${begun}`, 'g');
/** Each number of a list, and what stands before it. */
const item = new RegExp(`(?:${between})?(${number})`, 'y');
const isEnd = new RegExp(`^${end}`);
const octal = /^[0-3][0-7]{2}$/;

/** All in one, with a NUL after each; undefined: there are none. */
export function numberLists(text: Buffer): PlainText | undefined {
  const latin1 = text.toString('latin1');
  const lists = [...latin1.matchAll(list)];
  if (lists.length === 0) return undefined;
  const writer = writePlain(asItIs(text), text.length * 2);
  for (const { index, 0: found } of lists) {
    const items = itemsOf(found);
    const last = index + found.length - 1;
    const isOpen = isEnd.test(latin1.slice(last + 1));
    for (const radix of items.every(({ digits }) => octal.test(digits)) ? [10, 8] : [10]) {
      for (const { digits, end } of items) {
        const value = radix === 8 ? Number.parseInt(digits, 8) : Number(digits);
        // Signed in Java; what is no byte is none of a secret.
        const isByte = value >= -128 && value <= 255;
        writer.put(isByte ? value & 0xff : 0, index + end - digits.length, index + end - 1);
      }
      if (isOpen) writer.leaveOpen();
      writer.put(0, last, last);
    }
  }
  return writer.end();
}

function itemsOf(found: string): { readonly digits: string; readonly end: number }[] {
  const items: { digits: string; end: number }[] = [];
  item.lastIndex = 0;
  for (let match = item.exec(found); match !== null; match = item.exec(found))
    items.push({ digits: match[1] ?? '', end: item.lastIndex });
  return items;
}
