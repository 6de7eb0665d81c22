// What to look for of a value in the output of programs. Kept as bytes, not as strings: a heap snapshot shows strings.
import { isUtf8 } from 'node:buffer';
import { plainTexts, squeezedBytes } from './plain-spelling.ts';

/** What to look for of a value: where, and in which form. */
export interface ValueForms {
  /** As they stand, and in what was decoded. */
  readonly literal: readonly Buffer[];
  /** In the plain spellings of a text, squeezed as those are. */
  readonly plain: readonly Buffer[];
  /** There too, but they are so short that nothing may stand between their bytes: `on e` is not `one`. */
  readonly tight: readonly Buffer[];
  /** In the plain hexadecimal of a text. */
  readonly hex: readonly Buffer[];
}

/** Shorter values (`1`, `yes`) are no secrets, and masking them would make the output unreadable. */
const shortestValue = 4;
/** A line of a value with several lines, an encoding of a value, what may be broken into lines. */
export const shortestPart = 8;
const armor = /-----(?:BEGIN|END) [^-]{1,64}-----/;

export function valueForms(value: Buffer): ValueForms {
  if (value.length < shortestValue) return { literal: [], plain: [], tight: [], hex: [] };
  const literal = [value, latin1Of(value)].flatMap((text) =>
    text === undefined ? [] : [Buffer.from(text), ...linesOf(text)],
  );
  const wide = literal.flatMap(utf16Of);
  const spelled = [...literal, ...wide].flatMap((part) =>
    plainTexts(part).map(({ bytes }) => Buffer.from(bytes)),
  );
  const base64 = [...literal, ...utf16Of(value).slice(0, 1)].flatMap(base64Forms).map(squeezedBytes);
  const all = distinct([...spelled, ...armored(value), ...base64.filter(isPart)]);
  return {
    literal: [...literal, ...wide],
    plain: all.filter(isPart),
    tight: all.filter((form) => form.length >= shortestValue && !isPart(form)),
    hex: distinct([...literal, ...wide]).map((part) => Buffer.from(part.toString('hex'))),
  };
}

function isPart({ length }: Buffer): boolean {
  return length >= shortestPart;
}

function distinct(forms: readonly Buffer[]): Buffer[] {
  return [...new Map(forms.map((form) => [form.toString('latin1'), form])).values()];
}

/** Programs print texts of several lines line by line. */
function linesOf(value: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let from = 0;
  for (let at = value.indexOf(10); at >= 0; at = value.indexOf(10, from)) {
    lines.push(value.subarray(from, at > from && value[at - 1] === 13 ? at - 1 : at));
    from = at + 1;
  }
  if (from > 0) lines.push(value.subarray(from));
  return lines.filter(isPart).map((line) => Buffer.from(line));
}

/** Of keys in PEM: what stands between the armor, which others write at another width or without it. */
function armored(value: Buffer): Buffer[] {
  const text = value.toString('latin1');
  if (!armor.test(text)) return [];
  return text.split(armor).map((part) => squeezedBytes(Buffer.from(part, 'latin1')));
}

/**
 * What there is of Latin-1 in one byte each, as older programs write it and Python as `\xe4`; undefined where that is
 * the same.
 */
function latin1Of(value: Buffer): Buffer | undefined {
  if (value.every((byte) => byte < 0x80)) return undefined;
  const text = value.toString('utf8');
  const signs = text.replace(/[^\0-\xff]+/g, (others) => Buffer.from(others).toString('latin1'));
  const bytes = Buffer.from(signs, 'latin1');
  return bytes.length < value.length && bytes.length >= shortestValue ? bytes : undefined;
}

/** As Windows, Java and databases write it: the low byte first, and the high one. None of what is no text. */
function utf16Of(value: Buffer): Buffer[] {
  if (!isUtf8(value)) return [];
  const littleEnd = Buffer.from(value.toString('utf8'), 'utf16le');
  return [littleEnd, Buffer.from(littleEnd).swap16()];
}

/**
 * base64 (RFC 4648, 4 and 5) writes three bytes as four characters: three beginnings are possible in a longer text, and
 * the characters at both ends depend on what stands beside the value.
 */
function base64Forms(value: Buffer): Buffer[] {
  return [0, 1, 2].flatMap((before) => {
    const bits = (before + value.length) * 8;
    const first = Math.ceil((before * 8) / 6);
    const text = Buffer.concat([Buffer.alloc(before), value])
      .toString('base64')
      .slice(first, Math.floor(bits / 6));
    return [Buffer.from(text), Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'))];
  });
}
