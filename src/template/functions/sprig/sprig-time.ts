// sprig's functions on times, in UTC; `ago` and `durationRound` of a time ask the clock.
import { CallError, defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import { readInteger } from '../../text/number.ts';
import { IntegerValue, type Opened, openInterface } from '../../value/value.ts';
import { formatDuration, parseDuration } from '../go/time/go-duration.ts';
import { utcTime } from '../go/time/time-layout.ts';
import { parseTime } from '../go/time/time-parse.ts';
import { addNanoseconds, isTime, timeOf, timeValue, unixNano, zeroTime } from '../go/time/time-value.ts';

const secondNs = 1_000_000_000n;
const year = 365n * 24n * 3_600_000_000_000n;
const spans: readonly (readonly [bigint, string])[] = [
  [year, 'y'],
  [30n * 24n * 3_600_000_000_000n, 'mo'],
  [24n * 3_600_000_000_000n, 'd'],
  [3_600_000_000_000n, 'h'],
  [60_000_000_000n, 'm'],
  [secondNs, 's'],
];

const mustDateModify = defineFunction(['string', 'time.Time'], 'time.Time', (_context, change, time) =>
  timeValue(addNanoseconds(timeOf(openInterface(time)), parseDuration(change))),
);

export const sprigTime: FunctionTable = {
  sprig_toDate: defineFunction(['string', 'string'], 'time.Time', (_context, layout, text) => {
    try {
      return timeValue(parseTime(layout, text));
    } catch (error) {
      if (error instanceof CallError) return timeValue(zeroTime);
      throw error;
    }
  }),
  sprig_mustToDate: defineFunction(['string', 'string'], 'time.Time', (_context, layout, text) =>
    timeValue(parseTime(layout, text)),
  ),
  sprig_mustDateModify: mustDateModify,
  sprig_must_date_modify: mustDateModify,
  sprig_unixEpoch: defineFunction(['time.Time'], 'string', (_context, time) =>
    String(timeOf(openInterface(time)).unixSeconds),
  ),
  sprig_duration: defineFunction(['any'], 'string', (_context, seconds) =>
    formatDuration(BigInt.asIntN(64, secondsOf(openInterface(seconds)) * secondNs)),
  ),
  sprig_durationRound: defineFunction(['any'], 'string', (context, duration) =>
    roundDuration(openInterface(duration), () => unixNano(utcTime(context.host.now()))),
  ),
  sprig_ago: defineFunction(['any'], 'string', (context, value) => {
    const now = unixNano(utcTime(context.host.now()));
    return formatDuration(roundToSecond(now - (pastOf(openInterface(value)) ?? now)));
  }),
};

/** Only a string or an int64: anything else counts as nothing. */
function secondsOf(value: Opened): bigint {
  if (value instanceof IntegerValue && value.type.name === 'int64') return value.value;
  if (typeof value !== 'string') return 0n;
  const parsed = readInteger(value, 10, 64);
  if (typeof parsed === 'bigint') return parsed;
  if (parsed === 'invalid syntax') return 0n;
  return value.startsWith('-') ? -(1n << 63n) : (1n << 63n) - 1n;
}

/** The largest unit that is exceeded, without a remainder. */
function roundDuration(value: Opened, now: () => bigint): string {
  const nanoseconds = isTime(value)
    ? now() - unixNano(timeOf(value))
    : typeof value === 'string'
      ? durationOrZero(value)
      : int64Of(value);
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  for (const [span, name] of spans) if (size > span) return `${size / span}${name}`;
  return '0s';
}

/** A time, or seconds; undefined for anything else, which counts as now. */
function pastOf(value: Opened): bigint | undefined {
  if (isTime(value)) return unixNano(timeOf(value));
  if (typeof value === 'bigint') return value * secondNs;
  return value instanceof IntegerValue && value.type.name === 'int64' ? value.value * secondNs : undefined;
}

/** A half goes away from zero. */
function roundToSecond(nanoseconds: bigint): bigint {
  const half = nanoseconds < 0n ? -secondNs / 2n : secondNs / 2n;
  return ((nanoseconds + half) / secondNs) * secondNs;
}

function durationOrZero(text: string): bigint {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof CallError) return 0n;
    throw error;
  }
}

function int64Of(value: Opened): bigint {
  return value instanceof IntegerValue && value.type.name === 'int64' ? value.value : 0n;
}
