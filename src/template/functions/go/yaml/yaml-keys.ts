// The order in which go-yaml v2 writes a map's keys: numbers by value, texts in a natural order, letters after others.
import { decodeRunes } from '../../../text/bytes.ts';
import { IntegerValue, type Opened, openInterface, stringOf, type Value } from '../../../value/value.ts';

/** As reflect numbers its kinds. */
const kindRank: Readonly<Record<string, number>> = {
  boolean: 1,
  bigint: 2,
  number: 14,
  string: 24,
};
const letter = /^\p{L}$/u;
const digit = /^\p{Nd}$/u;

export function compareYamlKeys(a: Value, b: Value): number {
  if (isLess(openInterface(a), openInterface(b))) return -1;
  return isLess(openInterface(b), openInterface(a)) ? 1 : 0;
}

function isLess(a: Opened, b: Opened): boolean {
  const left = numberOf(a);
  const right = numberOf(b);
  if (left !== null && right !== null) return left === right ? rank(a) < rank(b) : left < right;
  const leftText = stringOf(a);
  const rightText = stringOf(b);
  if (leftText === null || rightText === null) return rank(a) < rank(b);
  return isLessText(decodeRunes(leftText), decodeRunes(rightText));
}

function numberOf(key: Opened): number | null {
  if (typeof key === 'number') return key;
  if (typeof key === 'bigint') return Number(key);
  if (typeof key === 'boolean') return key ? 1 : 0;
  return key instanceof IntegerValue ? Number(key.value) : null;
}

function rank(key: Opened): number {
  if (key instanceof IntegerValue) return key.type.kind === 'uint64' ? 11 : 6;
  return key === null ? 20 : (kindRank[typeof key] ?? 24);
}

function isLessText(a: readonly number[], b: readonly number[]): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a[i] ?? 0;
    const right = b[i] ?? 0;
    if (left === right) continue;
    const isLeftLetter = is(letter, left);
    const isRightLetter = is(letter, right);
    if (isLeftLetter && isRightLetter) return left < right;
    if (isLeftLetter || isRightLetter) return isRightLetter;
    return isLessNumber(a, b, i);
  }
  return a.length < b.length;
}

/** From the first difference on, runs of digits compare by value, then by length. */
function isLessNumber(a: readonly number[], b: readonly number[], at: number): boolean {
  const start = hasDigitsBefore(a, b, at) ? 1n : 0n;
  const left = readDigits(a, at, start);
  const right = readDigits(b, at, start);
  if (left.value !== right.value) return left.value < right.value;
  if (left.end !== right.end) return left.end < right.end;
  return (a[at] ?? 0) < (b[at] ?? 0);
}

/** A zero that differs behind other digits counts as a digit of the same number. */
function hasDigitsBefore(a: readonly number[], b: readonly number[], at: number): boolean {
  if (a[at] !== 0x30 && b[at] !== 0x30) return false;
  for (let j = at - 1; j >= 0 && is(digit, a[j] ?? 0); j--) if (a[j] !== 0x30) return true;
  return false;
}

function readDigits(runes: readonly number[], from: number, start: bigint): { value: bigint; end: number } {
  let value = start;
  let end = from;
  for (; end < runes.length && is(digit, runes[end] ?? 0); end++) {
    value = BigInt.asIntN(64, value * 10n + BigInt((runes[end] ?? 0) - 0x30));
  }
  return { value, end };
}

function is(pattern: RegExp, rune: number): boolean {
  return pattern.test(String.fromCodePoint(rune));
}
