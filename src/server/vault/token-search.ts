// Finds a token in bytes, however they spell it: as it is, in base64 (at any offset of a longer text) and hexadecimal, and
// all of these behind the escapes of URLs, JSON and HTML, twice at most. Knows nothing of requests and answers.
import type { SecretValue } from '../../base/secret-value.ts';

export interface TokenSearch {
  isIn(bytes: Buffer): boolean;
  /** Whether a token that is not whole yet may begin at the end of these bytes. */
  mayBeginIn(bytes: Buffer): boolean;
  /** No spelling of a token takes more bytes. */
  readonly reach: number;
}

/** Shorter ones (the `root` of a development vault) are words of every other answer. */
const shortestBytes = 8;
/** A byte of `\u005cu0041`: an escape of the escape. */
const longestEscape = 36;
const mostEscapes = 2;

/** Of `plain` only the spelling of the token itself is looked for: there may be a thousand of them. */
export function createTokenSearch(
  tokens: readonly SecretValue[],
  plain: readonly SecretValue[] = [],
): TokenSearch {
  const plainNeedles = plain
    .filter(({ byteLength }) => byteLength >= shortestBytes)
    .map((token) => token.bytes());
  const needles = [...tokens.flatMap(needlesOf), ...plainNeedles];
  const longest = needles.reduce((most, { length }) => Math.max(most, length), 0);
  return {
    isIn: (bytes) => viewsOf(bytes).some((view) => needles.some((needle) => view.includes(needle))),
    mayBeginIn: (bytes) =>
      needles.length > 0 &&
      (endsInEscape(bytes) ||
        viewsOf(bytes).some((view) => needles.some((needle) => endsInStart(view, needle)))),
    reach: longest * longestEscape,
  };
}

const known = new WeakMap<SecretValue, readonly Buffer[]>();

function needlesOf(token: SecretValue): readonly Buffer[] {
  let needles = known.get(token);
  if (needles === undefined) {
    needles = token.byteLength < shortestBytes ? [] : spellingsOf(token.bytes());
    known.set(token, needles);
  }
  return needles;
}

function spellingsOf(token: Buffer): Buffer[] {
  const texts = new Set<string>([token.toString('latin1'), token.toString('hex')]);
  texts.add(token.toString('hex').toUpperCase());
  for (let offset = 0; offset < 3; offset += 1) {
    const shifted = Buffer.concat([Buffer.alloc(offset), token]);
    // Only the characters that no neighbour has a bit of.
    const [from, to] = [Math.ceil((offset * 8) / 6), Math.floor((shifted.length * 8) / 6)];
    for (const encoding of ['base64', 'base64url'] as const) {
      texts.add(shifted.toString(encoding).slice(from, to));
    }
  }
  return [...texts].map((text) => Buffer.from(text, 'latin1'));
}

/** As they came, then without one escape and another. */
function viewsOf(bytes: Buffer): Buffer[] {
  const views = [bytes];
  let view = bytes;
  for (let round = 0; round < mostEscapes; round += 1) {
    const next = unescaped(view);
    if (next === view) break;
    views.push(next);
    view = next;
  }
  return views;
}

const backslash = 0x5c;
const percent = 0x25;
const ampersand = 0x26;
const isDropped = (byte: number): boolean =>
  byte === 0 || byte === 0x0a || byte === 0x0d || byte === 0x20 || byte === 0x09;
const isIntroducer = (byte: number): boolean => byte === backslash || byte === percent || byte === ampersand;

/** Line breaks and blanks, which wrapped base64 has, and the zeros of UTF-16 go too: no token has any. */
function unescaped(bytes: Buffer): Buffer {
  let at = bytes.findIndex((byte) => isDropped(byte) || isIntroducer(byte));
  if (at < 0) return bytes;
  const plain = Buffer.alloc(bytes.length);
  let length = bytes.copy(plain, 0, 0, at);
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0;
    const [value, size] = isIntroducer(byte) ? escapeAt(bytes, at) : [byte, 1];
    at += size;
    if (isDropped(value)) continue;
    plain[length] = value;
    length += 1;
  }
  return plain.subarray(0, length);
}

/** Control characters by their letter (`\n`) count as a blank. */
const letters = new Map([0x62, 0x66, 0x6e, 0x72, 0x74].map((letter) => [letter, 0x20]));

/** What the escape stands for, and how long it is; where it is none, the byte itself. */
function escapeAt(bytes: Buffer, at: number): [value: number, size: number] {
  const byte = bytes[at] ?? 0;
  const next = bytes[at + 1];
  if (byte === percent) return hexAt(bytes, at + 1, 2, 3) ?? [byte, 1];
  if (byte === ampersand) return next === 0x23 ? entityAt(bytes, at) : [byte, 1];
  if (next === undefined) return [byte, 1];
  if (next === 0x75) return hexAt(bytes, at + 2, 4, 6) ?? [next, 2];
  if (next === 0x78) return hexAt(bytes, at + 2, 2, 4) ?? [next, 2];
  return [letters.get(next) ?? next, 2];
}

function hexAt(bytes: Buffer, from: number, digits: number, size: number): [number, number] | undefined {
  const text = bytes.toString('latin1', from, from + digits);
  if (text.length < digits || !/^[0-9a-f]+$/i.test(text)) return undefined;
  // Above one byte it is no character of a token.
  return [Math.min(Number.parseInt(text, 16), 0xff), size];
}

function entityAt(bytes: Buffer, at: number): [number, number] {
  const match = /^&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/i.exec(bytes.toString('latin1', at, at + 12));
  if (match === null) return [ampersand, 1];
  const value = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
  return [Math.min(value, 0xff), match[0].length];
}

function endsInEscape(bytes: Buffer): boolean {
  return bytes.subarray(-longestEscape).some(isIntroducer);
}

function endsInStart(view: Buffer, needle: Buffer): boolean {
  const [first = 0] = needle;
  const from = Math.max(0, view.length - needle.length + 1);
  for (let at = view.indexOf(first, from); at >= 0; at = view.indexOf(first, at + 1)) {
    if (view.compare(needle, 0, view.length - at, at) === 0) return true;
  }
  return false;
}
