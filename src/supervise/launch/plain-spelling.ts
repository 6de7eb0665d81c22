// One spelling for the many that programs give a value: percent-encoding, escapes of JSON, C and XML, quotes of shells and
// SQL are taken off, so that a secret is found whoever wrote it. Not for reading anything: what differs only in quotes,
// backslashes, plus signs or doubled signs becomes the same.

export interface PlainText {
  readonly bytes: Buffer;
  /** Where each byte's spelling begins in the text, and where it ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

const dollar = 0x24;
const percent = 0x25;
const ampersand = 0x26;
const backslash = 0x5c;
const isSpelled = /[%&+'"\\]|\$\$/;
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
const entityForm = /&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));/y;

interface Unit {
  readonly bytes: readonly number[] | Buffer;
  readonly length: number;
}

/** JSON in a JSON string in a line of JSON; an address in the query of another. */
const mostLayers = 3;

/** The text as it is, and with one layer of spelling after another taken off; each folded. */
export function plainTexts(text: Buffer): PlainText[] {
  let plain = asItIs(text);
  if (!isSpelled.test(plain.latin1)) return [plain];
  const texts = [folded(plain)];
  for (let layer = 0; layer < mostLayers; layer++) {
    const next = withoutLayer(plain);
    if (next.bytes.length === plain.bytes.length) break;
    texts.push(folded(next));
    plain = next;
  }
  return texts;
}

/** What the spelling of these bytes becomes when it is taken off: they themselves, folded. */
export function foldedBytes(bytes: Buffer): Buffer {
  return Buffer.from(folded(asItIs(bytes)).bytes);
}

interface Layer extends PlainText {
  readonly latin1: string;
}

function withoutLayer(text: Layer): Layer {
  const { put, end } = writerOf(text);
  for (let at = 0; at < text.latin1.length; ) {
    const unit = unitAt(text.latin1, at);
    for (const byte of unit.bytes) put(byte, at, at + unit.length - 1);
    at += unit.length;
  }
  return end();
}

/**
 * Quotes and backslashes come and go with quoting, and a plus is a form's blank. A percent or a dollar is doubled where one
 * alone would begin something (ini files, units of systemd, make, compose).
 */
function folded(text: Layer): Layer {
  const { put, end } = writerOf(text);
  let before = -1;
  text.bytes.forEach((byte, at) => {
    if (byte === 0x27 || byte === 0x22 || byte === backslash) return;
    const isDoubled = byte === before && (byte === percent || byte === dollar);
    if (!isDoubled) put(byte === 0x2b ? 0x20 : byte, at, at);
    before = byte;
  });
  return end();
}

/** Writes bytes that stand for those from `first` to `last` of another text; never more than it has. */
function writerOf({ bytes: { length: most }, starts, ends }: PlainText) {
  const to = { bytes: Buffer.alloc(most), starts: new Uint32Array(most), ends: new Uint32Array(most) };
  let length = 0;
  return {
    put(byte: number, first: number, last: number): void {
      to.bytes[length] = byte;
      to.starts[length] = starts[first] ?? 0;
      to.ends[length++] = ends[last] ?? 0;
    },
    end(): Layer {
      const bytes = to.bytes.subarray(0, length);
      return { ...to, bytes, latin1: bytes.toString('latin1') };
    },
  };
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

/** Done for every line that is printed: a callback for each byte would cost more than all the rest. */
function asItIs(bytes: Buffer): Layer {
  const { length } = bytes;
  const [starts, ends] = [new Uint32Array(length), new Uint32Array(length)];
  for (let at = 0; at < length; at++) {
    starts[at] = at;
    ends[at] = at + 1;
  }
  return { bytes, starts, ends, latin1: bytes.toString('latin1') };
}

/** Of a dump: `54 72`, `54:72`, `0x54, 0x72`. */
const betweenPairs = /(?<=[0-9a-f]{2})(?: {1,2}|[:-]|,? ?(?:0x|\\x))(?=[0-9a-f]{2})/g;

/** In lower case, and without what stands between the pairs of hexadecimal digits. */
export function plainHex(text: Buffer): PlainText {
  // Letters of ASCII only: the bytes stay where they are.
  const plain = asItIs(text);
  const lower = plain.latin1.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  const { put, end } = writerOf(plain);
  let done = 0;
  const take = (to: number) => {
    for (; done < to; done++) put(lower.charCodeAt(done), done, done);
  };
  for (const { index, 0: between } of lower.matchAll(betweenPairs)) {
    take(index);
    done = index + between.length;
  }
  take(lower.length);
  return end();
}
