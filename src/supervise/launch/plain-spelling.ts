// One spelling for the many that programs give a value: percent-encoding, escapes of JSON, C and XML, quotes of shells and
// SQL are taken off, so that a secret is found whoever wrote it. Not for reading anything: what differs only in quotes,
// backslashes or plus signs becomes the same.

export interface PlainText {
  readonly bytes: Buffer;
  /** Where each byte's spelling begins in the text, and where it ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

const percent = 0x25;
const ampersand = 0x26;
const backslash = 0x5c;
const isSpelled = /[%&+'"\\]/;
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
// RFC 3986 2.1; JSON (RFC 8259, 7), with JavaScript's \u{…}, \x41 and the octal of C and shells; XML 1.0, 4.1.
const percentForm = /%([0-9A-Fa-f]{2})/y;
const unicodeForm = /\\u(?:([0-9A-Fa-f]{4})(?:\\u([dD][c-fC-F][0-9A-Fa-f]{2}))?|\{([0-9A-Fa-f]{1,6})\})/y;
const byteForm = /\\(?:x([0-9A-Fa-f]{2})|([0-3][0-7]{2}))/y;
const entityForm = /&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));/y;

interface Unit {
  readonly bytes: readonly number[] | Buffer;
  readonly length: number;
}

/** Takes every spelling off, and folds what is left. */
export function plainText(text: Buffer): PlainText {
  const latin1 = text.toString('latin1');
  if (!isSpelled.test(latin1)) return asItIs(text);
  // No spelling is shorter than what it stands for.
  const bytes = Buffer.alloc(text.length);
  const starts = new Uint32Array(text.length);
  const ends = new Uint32Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; ) {
    const unit = unitAt(latin1, at);
    for (const byte of unit.bytes) {
      const folded = fold(byte);
      if (folded === undefined) continue;
      bytes[length] = folded;
      starts[length] = at;
      ends[length++] = at + unit.length;
    }
    at += unit.length;
  }
  return { bytes: bytes.subarray(0, length), starts, ends };
}

/** What the spelling of these bytes becomes when it is taken off: they themselves, folded. */
export function foldedBytes(bytes: Buffer): Buffer {
  return Buffer.from([...bytes].map(fold).filter((byte) => byte !== undefined));
}

/** Quotes and backslashes come and go with quoting, and a plus is a form's blank. */
function fold(byte: number): number | undefined {
  if (byte === 0x27 || byte === 0x22 || byte === backslash) return undefined;
  return byte === 0x2b ? 0x20 : byte;
}

function unitAt(text: string, at: number): Unit {
  const code = text.charCodeAt(at);
  const unit =
    code === percent
      ? numbered(percentForm, text, at)
      : code === backslash
        ? escapeAt(text, at)
        : code === ampersand
          ? entityAt(text, at)
          : undefined;
  return unit ?? { bytes: [code], length: 1 };
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
  const [whole, first, low, inBraces] = match;
  const units = [first, low].filter((hex) => hex !== undefined).map((hex) => Number.parseInt(hex, 16));
  const character =
    inBraces === undefined ? String.fromCharCode(...units) : characterOf(Number.parseInt(inBraces, 16));
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

function asItIs(text: Buffer): PlainText {
  const starts = Uint32Array.from(text, (_byte, index) => index);
  return { bytes: text, starts, ends: starts.map((start) => start + 1) };
}
