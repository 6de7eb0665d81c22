// Go's time.Duration: nanoseconds, written as 1h15m30.918s.
import { type CallError, callError, quoted } from '../../../exec/function-table.ts';

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  '\xc2\xb5s': 1_000n,
  '\xce\xbcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const limit = 1n << 63n;

/** As time.ParseDuration; throws its error. */
export function parseDuration(text: string): bigint {
  const isNegative = text.startsWith('-');
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0n;
  if (rest === '') throw invalid(text);
  let total = 0n;
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const [taken = '', whole = '', fraction = ''] = number ?? [];
    if (whole === '' && fraction === '') throw invalid(text);
    rest = rest.slice(taken.length);
    const name = /^[^.\d]+/.exec(rest)?.[0];
    if (name === undefined) throw callError`time: missing unit in duration ${quoted(text)}`;
    const unit = units[name];
    if (unit === undefined) throw callError`time: unknown unit ${quoted(name)} in duration ${quoted(text)}`;
    rest = rest.slice(name.length);
    total += partOf(text, whole, fraction, unit);
    if (total > limit) throw invalid(text);
  }
  if (isNegative) return -total;
  if (total === limit) throw invalid(text);
  return total;
}

function partOf(text: string, whole: string, fraction: string, unit: bigint): bigint {
  if (whole.replace(/^0+/, '').length > 19) throw invalid(text);
  const value = BigInt(whole || '0');
  if (value > limit / unit) throw invalid(text);
  const digits = fraction.slice(0, 18);
  const scaled = Number(digits || '0') * (Number(unit) / 10 ** digits.length);
  return value * unit + BigInt(Math.trunc(scaled));
}

function invalid(text: string): CallError {
  return callError`time: invalid duration ${quoted(text)}`;
}

/** As Duration.String. */
export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}\xc2\xb5s`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = `${decimal(size % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${seconds}`;
}

/** The number with this many digits behind the point, without zeros at the end. */
function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return text.slice(0, -digits) + (fraction === '' ? '' : `.${fraction}`);
}
