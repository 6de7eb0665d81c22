// How sprig makes numbers of anything (the Go library cast): what is none counts as 0, without an error.
import { JsonNumber } from '../../../base/text/json.ts';
import { readFloat, readInteger } from '../../text/number.ts';
import { IntegerValue, type Opened, openInterface, type Value } from '../../value/value.ts';

const smallest = -(1n << 63n);

/** As cast.ToInt64. Strings by Go's rules for literals: 0x10, 010, 1_000; `2.00` is 2, `2.5` is 0. */
export function toInt64(value: Value): bigint {
  const opened = openInterface(value);
  if (typeof opened === 'bigint') return opened;
  if (opened instanceof IntegerValue) return isPlainInteger(opened) ? BigInt.asIntN(64, opened.value) : 0n;
  if (typeof opened === 'number') return floatToInt64(opened);
  if (typeof opened === 'boolean') return opened ? 1n : 0n;
  const text = textOf(opened);
  if (text === null) return 0n;
  const parsed = readInteger(withoutZeroFraction(text), 0, 64);
  return typeof parsed === 'bigint' ? parsed : 0n;
}

/** As cast.ToFloat64. */
export function toFloat64(value: Value): number {
  const opened = openInterface(value);
  if (typeof opened === 'number') return opened;
  if (typeof opened === 'bigint') return Number(opened);
  if (opened instanceof IntegerValue) return isPlainInteger(opened) ? Number(opened.value) : 0;
  if (typeof opened === 'boolean') return opened ? 1 : 0;
  const text = textOf(opened);
  const parsed = text === null ? 0 : readFloat(text);
  return typeof parsed === 'number' ? parsed : 0;
}

/** Named integers such as time.Duration are none to the library, but for months and weekdays. */
function isPlainInteger(value: IntegerValue): boolean {
  return /^u?int\d*$|^time\.(?:Month|Weekday)$/.test(value.type.name);
}

function textOf(value: Opened): string | null {
  if (typeof value === 'string') return value;
  return value instanceof JsonNumber ? value.text : null;
}

/** Go's conversion on amd64: what does not fit becomes the smallest integer. */
function floatToInt64(value: number): bigint {
  const truncated = Math.trunc(value);
  if (!(truncated >= -(2 ** 63) && truncated < 2 ** 63)) return smallest;
  return BigInt(truncated);
}

function withoutZeroFraction(text: string): string {
  return text.replace(/\.0+$/, '');
}
