// One spelling for the many that programs give a value: percent-encoding, escapes of JSON, C and XML, quotes of shells and
// SQL, breaks of lines and blanks are taken off, so that a secret is found whoever wrote it. Not for reading anything: what
// differs only in quotes, backslashes, plus signs, white space or doubled signs becomes the same.

import { byteClass } from './byte-class.ts';
import { withoutBreaks } from './line-breaks.ts';
import { asItIs, type PlainText, writePlain } from './plain-text.ts';

const dollar = 0x24;
const percent = 0x25;
const ampersand = 0x26;
const backslash = 0x5c;
const isSpelled = /[%&\\]/;
/** Blanks, with those that forms send as a plus; ends of lines; the other half of UTF-16; quotes and backslashes, which come and go. */
const isLeftOut = byteClass(/[ +\t\r\n\0'"\\]/);
/** One that the text ends within may be whole with what comes. */
const longestEscape = 12;
const controls: ReadonlyMap<string, number> = new Map([
  ['n', 10],
  ['t', 9],
  ['r', 13],
  ['b', 8],
  ['f', 12],
]);
const entities: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);
// RFC 3986 2.1; JSON (RFC 8259, 7), with JavaScript's \u{…}, \U0001f511 of Python and Go, \x41 and the octal of C and
// shells; XML 1.0, 4.1.
const percentForm = /%([0-9A-Fa-f]{2})/y;
const unicodeForm =
  /\\(?:u([0-9A-Fa-f]{4})(?:\\u([dD][c-fC-F][0-9A-Fa-f]{2}))?|u\{([0-9A-Fa-f]{1,6})\}|U00([0-9A-Fa-f]{6}))/y;
const byteForm = /\\(?:x([0-9A-Fa-f]{2})|([0-3][0-7]{2}))/y;
// RFC 2045, 6.7; the second breaks a line that goes on.
const quotedForm = /=(?:[0-9A-Fa-f]{2}|[ \t]*\r?\n)/;
const quotedForms = new RegExp(quotedForm, 'g');
const entityForm = /&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));/y;

interface Unit {
  readonly bytes: readonly number[] | Buffer;
  readonly length: number;
}

/** JSON in a JSON string in a line of JSON; an address in the query of another. */
const mostLayers = 3;

/**
 * The text as it is, and with one layer of spelling after another taken off; each squeezed. With what it is as
 * quoted-printable, where it may be that.
 */
export function plainTexts(text: Buffer): readonly [PlainText, ...PlainText[]] {
  const latin1 = text.toString('latin1');
  const asQuoted = quotedForm.test(latin1) ? [squeezed(withoutQuoting(text, latin1))] : [];
  let plain = withoutBreaks(text);
  const texts: [PlainText, ...PlainText[]] = [squeezed(plain), ...asQuoted];
  if (!isSpelled.test(latin1)) return texts;
  for (let layer = 0; layer < mostLayers; layer++) {
    const next = withoutLayer(plain);
    if (next.bytes.length === plain.bytes.length) break;
    texts.push(squeezed(next));
    plain = next;
  }
  return texts;
}

/** What the spelling of these bytes becomes when it is taken off: they themselves, squeezed. */
export function squeezedBytes(bytes: Buffer): Buffer {
  return Buffer.from(squeezed(asItIs(bytes)).bytes);
}

function withoutLayer(text: PlainText): PlainText {
  const writer = writePlain(text);
  const latin1 = text.bytes.toString('latin1');
  const lastEscapes = latin1.length - longestEscape;
  for (let at = 0; at < latin1.length; ) {
    const unit = unitAt(latin1, at);
    if (at > lastEscapes && isSpelled.test(latin1[at] ?? '')) writer.leaveOpen();
    if (unit === undefined) {
      writer.put(latin1.charCodeAt(at), at, at);
      at++;
      continue;
    }
    for (const byte of unit.bytes) writer.put(byte, at, at + unit.length - 1);
    at += unit.length;
  }
  writer.leaveOpen();
  return writer.end();
}

/** Alone: `pw=ABCD` is none, and what percent-encoding it has must not be lost by it. */
function withoutQuoting(text: Buffer, latin1: string): PlainText {
  const writer = writePlain(asItIs(text));
  let done = 0;
  const take = (to: number): void => {
    for (; done < to; done++) writer.put(text[done] ?? 0, done, done);
  };
  for (const { index, 0: sign } of latin1.matchAll(quotedForms)) {
    take(index);
    done = index + sign.length;
    if (!sign.endsWith('\n')) writer.put(Number.parseInt(sign.slice(1), 16), index, done - 1);
  }
  take(text.length);
  writer.leaveOpen();
  return writer.end();
}

/**
 * Without what comes and goes with quoting and breaking lines. A percent or a dollar is doubled where one alone would begin
 * something (ini files, units of systemd, make, compose).
 */
function squeezed(text: PlainText): PlainText {
  const { put, leaveOpen, end } = writePlain(text);
  const { bytes, opens } = text;
  let before = -1;
  let open = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (at === opens[open]) {
      leaveOpen();
      open++;
    }
    const byte = bytes[at] ?? 0;
    if (isLeftOut[byte] === 1) continue;
    const isDoubled = byte === before && (byte === percent || byte === dollar);
    if (!isDoubled) put(byte, at, at);
    before = byte;
  }
  leaveOpen();
  return end();
}

/** Undefined: the byte stands for itself. */
function unitAt(text: string, at: number): Unit | undefined {
  const code = text.charCodeAt(at);
  if (code === percent) return numbered(percentForm, text, at);
  if (code === backslash) return escapeAt(text, at);
  return code === ampersand ? entityAt(text, at) : undefined;
}

function numbered(form: RegExp, text: string, at: number): Unit | undefined {
  form.lastIndex = at;
  const match = form.exec(text);
  if (match === null) return undefined;
  const byte = match[1] === undefined ? Number.parseInt(match[2] ?? '', 8) : Number.parseInt(match[1], 16);
  return { bytes: [byte], length: match[0].length };
}

function escapeAt(text: string, at: number): Unit | undefined {
  const control = controls.get(text[at + 1] ?? '');
  if (control !== undefined) return { bytes: [control], length: 2 };
  unicodeForm.lastIndex = at;
  const match = unicodeForm.exec(text);
  if (match === null) return numbered(byteForm, text, at) ?? { bytes: [text.charCodeAt(at + 1)], length: 2 };
  const [whole, first, low, inBraces, inEight] = match;
  const code = inBraces ?? inEight;
  const units = [first, low].filter((hex) => hex !== undefined).map((hex) => Number.parseInt(hex, 16));
  const character =
    code === undefined ? String.fromCharCode(...units) : characterOf(Number.parseInt(code, 16));
  return { bytes: Buffer.from(character), length: whole.length };
}

function entityAt(text: string, at: number): Unit | undefined {
  entityForm.lastIndex = at;
  const match = entityForm.exec(text);
  if (match === null) return undefined;
  const [whole, decimal, hex, name] = match;
  const character =
    name === undefined
      ? characterOf(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal))
      : (entities.get(name) ?? '');
  return { bytes: Buffer.from(character), length: whole.length };
}

function characterOf(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}
