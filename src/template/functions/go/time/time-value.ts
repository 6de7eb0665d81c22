// time.Time and time.Duration as templates see them: opaque values with Go's methods. The local zone is UTC: what a
// template gives must not depend on the host.
import { callError, defineMethod } from '../../../exec/function-table.ts';
import { namedType, structType, type Type } from '../../../value/type.ts';
import { type IntegerValue, integer, type Opened, StructValue, type Value } from '../../../value/value.ts';
import { formatDuration } from './go-duration.ts';
import { type Civil, civil, dayNames, formatTime, monthNames, type ZonedTime } from './time-layout.ts';

const zeroSeconds = -62_135_596_800;
const secondNs = 1_000_000_000n;
const rfc3339Nano = '2006-01-02T15:04:05.999999999Z07:00';

export const zeroTime: ZonedTime = {
  unixSeconds: zeroSeconds,
  nanoseconds: 0,
  offsetSeconds: 0,
  zone: 'UTC',
};

const monthType = namedInteger('time.Month', (value) => monthNames[Number(value) - 1] ?? `%!Month(${value})`);
const weekdayType = namedInteger('time.Weekday', (value) => dayNames[Number(value)] ?? `%!Weekday(${value})`);
const durationType = namedType('time.Duration', 'int64', {
  String: durationMethod('string', (ns) => formatDuration(ns)),
  Seconds: durationMethod('float64', (ns) => Number(ns) / 1e9),
  Minutes: durationMethod('float64', (ns) => Number(ns) / 6e10),
  Hours: durationMethod('float64', (ns) => Number(ns) / 3.6e12),
  Milliseconds: durationMethod('int64', (ns) => ns / 1_000_000n),
  Microseconds: durationMethod('int64', (ns) => ns / 1_000n),
  Nanoseconds: durationMethod('int64', (ns) => ns),
});

function namedInteger(name: string, nameOf: (value: bigint) => string): Type {
  return namedType(name, 'int', {
    String: defineMethod([], 'string', (_context, self: IntegerValue) => nameOf(self.value)),
  });
}

function durationMethod<const R extends 'string' | 'float64' | 'int64'>(
  result: R,
  of: (nanoseconds: bigint) => string | number | bigint,
) {
  return defineMethod([], result, (_context, self: IntegerValue) => of(self.value) as never);
}

const timeType: Type = structType('time.Time', [], {
  String: method([], 'string', (time) => formatTime(time, '2006-01-02 15:04:05.999999999 -0700 MST')),
  Format: method(['string'], 'string', (time, layout) => formatTime(time, String(layout))),
  MarshalText: method([], 'string', (time) => formatTime(time, rfc3339Nano)),
  Unix: method([], 'int64', (time) => BigInt(time.unixSeconds)),
  UnixMilli: method([], 'int64', (time) => unixNano(time) / 1_000_000n),
  UnixMicro: method([], 'int64', (time) => unixNano(time) / 1_000n),
  UnixNano: method([], 'int64', (time) => BigInt.asIntN(64, unixNano(time))),
  Year: civilMethod((now) => now.year),
  Day: civilMethod((now) => now.day),
  Hour: civilMethod((now) => now.hour),
  Minute: civilMethod((now) => now.minute),
  Second: civilMethod((now) => now.second),
  YearDay: civilMethod((now) => now.yearDay),
  Nanosecond: method([], 'int', (time) => BigInt(time.nanoseconds)),
  Month: method([], 'time.Month', (time) => integer(monthType, BigInt(civil(time).month))),
  Weekday: method([], 'time.Weekday', (time) => integer(weekdayType, BigInt(civil(time).weekday))),
  UTC: selfMethod((time) => ({ ...time, offsetSeconds: 0, zone: 'UTC' })),
  Local: selfMethod((time) => ({ ...time, offsetSeconds: 0, zone: 'UTC' })),
  AddDate: method(['int', 'int', 'int'], 'any', (time, years, months, days) =>
    timeValue(addDate(time, Number(years), Number(months), Number(days))),
  ),
  IsZero: method([], 'bool', (time) => time.unixSeconds === zeroSeconds && time.nanoseconds === 0),
  Before: comparison((order) => order < 0n),
  After: comparison((order) => order > 0n),
  Equal: comparison((order) => order === 0n),
  Sub: method(['any'], 'time.Duration', (time, other) =>
    integer(durationType, unixNano(time) - unixNano(timeOf(other as Opened))),
  ),
});

type Result = string | bigint | boolean | Value;

function method<const P extends readonly string[], const R extends string>(
  parameters: P,
  result: R,
  of: (time: ZonedTime, ...args: Value[]) => Result,
) {
  return defineMethod(
    parameters,
    result,
    (_context, self: StructValue, ...args) => of(self.hidden as ZonedTime, ...(args as Value[])) as never,
  );
}

function selfMethod(of: (time: ZonedTime) => ZonedTime) {
  return method([], 'any', (time) => timeValue(of(time)));
}

function civilMethod(of: (now: Civil) => number) {
  return method([], 'int', (time) => BigInt(of(civil(time))));
}

function comparison(of: (order: bigint) => boolean) {
  return method(['any'], 'bool', (time, other) => of(unixNano(time) - unixNano(timeOf(other as Opened))));
}

/** A time.Time. */
export function timeValue(time: ZonedTime): StructValue {
  return new StructValue(timeType, [], time);
}

/** The time in a value; throws when it is none. */
export function timeOf(value: Opened): ZonedTime {
  if (value instanceof StructValue && value.type === timeType) return value.hidden as ZonedTime;
  throw callError`expected a time.Time`;
}

export function isTime(value: Opened): boolean {
  return value instanceof StructValue && value.type === timeType;
}

export function unixNano(time: ZonedTime): bigint {
  return BigInt(time.unixSeconds) * secondNs + BigInt(time.nanoseconds);
}

/** As Time.Add. */
export function addNanoseconds(time: ZonedTime, nanoseconds: bigint): ZonedTime {
  const total = unixNano(time) + nanoseconds;
  const rest = ((total % secondNs) + secondNs) % secondNs;
  return { ...time, unixSeconds: Number((total - rest) / secondNs), nanoseconds: Number(rest) };
}

/** As Time.AddDate: months and days beyond the end go on into what follows. */
function addDate(time: ZonedTime, years: number, months: number, days: number): ZonedTime {
  const date = new Date((time.unixSeconds + time.offsetSeconds) * 1000);
  date.setUTCFullYear(date.getUTCFullYear() + years, date.getUTCMonth() + months, date.getUTCDate() + days);
  if (Number.isNaN(date.getTime())) throw callError`time is beyond what can be held`;
  return { ...time, unixSeconds: date.getTime() / 1000 - time.offsetSeconds };
}
