// What stands in a text as rows of a dump (xxd, hexdump, od, Format-Hex): an offset, groups of digits or letters, and at the
// right the same as text.
import { isHexDigit } from './byte-class.ts';
import { asItIs, type PlainText, type PlainWriter, writePlain } from './plain-text.ts';

const row =
  /(?<![\w.])(?:0x)?[0-9a-fA-F]{6,16}:?[ \t]{1,8}((?:[0-9a-fA-F]{2}){1,8}(?:[ \t-]{1,4}(?:[0-9a-fA-F]{2}){1,8})*)(?![\w.])([^\r\n]*)/g;
/** Text at the right that looks like digits is none of them. */
const usualWidth = 16;
/** od -c, hexdump -c and od -a: each byte in four columns. */
const letters =
  /(?:(?<![\w.])[0-9a-fA-F]{7,8}|(?<![^\n]))((?: {3}[ -~]| {2}(?:\\[0abtnvfr]|sp|nl|ht|cr)| [0-7]{3})+)(?=[\r\n]|$)/g;
const letter = / {3}([ -~])| {2}(\\[0abtnvfr]|sp|nl|ht|cr)| ([0-7]{3})/g;
const named: ReadonlyMap<string | undefined, number> = new Map([
  ['\\0', 0],
  ['\\a', 7],
  ['\\b', 8],
  ['\\t', 9],
  ['\\n', 10],
  ['\\v', 11],
  ['\\f', 12],
  ['\\r', 13],
  ['ht', 9],
  ['nl', 10],
  ['cr', 13],
  ['sp', 0x20],
]);

const digitOf = Uint8Array.from(
  { length: 256 },
  (_, code) => Number.parseInt(String.fromCharCode(code), 16) || 0,
);

/** A byte of a group of digits, and where in it it is written. */
type Put = (byte: number, from: number, to: number) => void;

interface Reading {
  /** What a group is; of pairs the last one may have fewer. */
  readonly group: RegExp;
  readonly isPairs?: boolean;
  /** Digits that a group has somewhere, where shorter ones mean the same in another reading. */
  readonly shortest?: number;
  bytes(digits: string, put: Put): void;
}

const readings: readonly Reading[] = [
  {
    group: /^(?:..){1,8}$/,
    isPairs: true,
    bytes(digits, put) {
      for (let at = 0; at < digits.length; at += 2) put(byteAt(digits, at), at, at + 2);
    },
  },
  {
    // Words of the processor: the low byte is written last.
    group: /^(?:..){1,8}$/,
    isPairs: true,
    shortest: 4,
    bytes(digits, put) {
      for (let at = digits.length - 2; at >= 0; at -= 2) put(byteAt(digits, at), at, at + 2);
    },
  },
  {
    group: /^[01][0-7]{5}$/,
    bytes(digits, put) {
      const word = Number.parseInt(digits, 8);
      put(word & 0xff, 0, digits.length);
      put(word >>> 8, 0, digits.length);
    },
  },
  { group: /^[01]{8}$/, bytes: (digits, put) => put(Number.parseInt(digits, 2), 0, digits.length) },
];

/** All rows in one, for each way to read them: with the places of the digits, and with those of the text beside them. */
export function dumpRows(text: Buffer): PlainText[] {
  const latin1 = text.toString('latin1');
  const rows = [...latin1.matchAll(row)];
  const texts = readings.flatMap((reading) => {
    const { group, shortest = 2 } = reading;
    const ofKind = rows.filter(({ 1: groups = '' }) => group.test(firstWord(groups)));
    const isUseful = ofKind.some(({ 1: groups = '' }) => firstWord(groups).length >= shortest);
    return isUseful ? readRows(text, ofKind, reading) : [];
  });
  const lettersOnly = [...latin1.matchAll(letters)];
  if (lettersOnly.length > 0) texts.push(readLetters(text, lettersOnly));
  return texts;
}

function readRows(text: Buffer, rows: readonly RegExpExecArray[], reading: Reading): PlainText[] {
  const [digits, shown] = [writePlain(asItIs(text)), writePlain(asItIs(text))];
  for (const { index, 0: whole, 1: groups = '', 2: rest = '' } of rows) {
    const end = index + whole.length;
    const first = end - rest.length - groups.length;
    const bytes: number[] = [];
    const width = widthOf(groups, reading);
    let digitsEnd = first;
    for (let at = 0; at < groups.length && bytes.length < width; ) {
      const word = firstWord(groups, at);
      reading.bytes(word, (byte, from, to) => {
        if (bytes.push(byte) <= width) digits.put(byte, first + at + from, first + at + to - 1);
      });
      at += word.length;
      digitsEnd = first + at;
      while (at < groups.length && isHexDigit[groups.charCodeAt(at)] !== 1) at++;
    }
    const isFramed = /^\s*[|>]/.test(rest);
    const column = end - (isFramed ? rest.length - rest.trimEnd().length + 1 : 0) - width;
    if (column > digitsEnd)
      for (let place = 0; place < width; place++)
        shown.put(bytes[place] ?? 0, column + place, column + place);
  }
  return ended(text, rows, [digits, shown]);
}

function readLetters(text: Buffer, rows: readonly RegExpExecArray[]): PlainText {
  const writer = writePlain(asItIs(text));
  for (const { index, 0: whole, 1: columns = '' } of rows) {
    const first = index + whole.length - columns.length;
    for (const { index: at, 0: all, 1: sign, 2: control, 3: octal } of columns.matchAll(letter)) {
      const byte = sign?.charCodeAt(0) ?? named.get(control) ?? Number.parseInt(octal ?? '', 8);
      const to = first + at + all.length;
      writer.put(byte, to - all.trimStart().length, to - 1);
    }
  }
  return ended(text, rows, [writer])[0] ?? writer.end();
}

/** The last row goes on where nothing follows it. */
function ended(text: Buffer, rows: readonly RegExpExecArray[], writers: readonly PlainWriter[]): PlainText[] {
  const last = rows.at(-1);
  const rest = text.subarray((last?.index ?? 0) + (last?.[0].length ?? 0));
  const isOpen = !/\S/.test(rest.toString('latin1'));
  if (isOpen) for (const writer of writers) writer.leaveOpen();
  return writers.map((writer) => writer.end());
}

/** How many bytes there are. The text at the right may look like a group of another length, or like more of them. */
function widthOf(groups: string, { group, isPairs, bytes }: Reading): number {
  const words = groups.split(/[ \t-]+/);
  const length = words[0]?.length ?? 0;
  let width = 0;
  for (const [index, word] of words.entries()) {
    const isLast = isPairs === true && word.length < length && index === words.length - 1;
    if (!isLast && (word.length !== length || !group.test(word))) break;
    bytes(word, () => width++);
  }
  return width > usualWidth && width < 2 * usualWidth ? usualWidth : width;
}

function firstWord(groups: string, from = 0): string {
  let to = from;
  while (to < groups.length && isHexDigit[groups.charCodeAt(to)] === 1) to++;
  return groups.slice(from, to);
}

function byteAt(digits: string, at: number): number {
  return ((digitOf[digits.charCodeAt(at)] ?? 0) << 4) | (digitOf[digits.charCodeAt(at + 1)] ?? 0);
}
