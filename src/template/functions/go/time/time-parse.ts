// Reading times by Go's layouts, as time.Parse with UTC as the local zone, and durations, as time.ParseDuration.
import { type CallError, callError, plain, quoted } from '../../../exec/function-table.ts';
import { dayNames, monthNames, splitLayout, type ZonedTime } from './time-layout.ts';

interface Fields {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: number;
  half: '' | 'am' | 'pm';
  offsetSeconds: number | null;
  zone: string;
  isUtc: boolean;
}

/** What one element takes from the text: its size, or null when the text does not fit. */
type Reader = (text: string, fields: Fields, element: string) => number | null;

/** Thrown by a reader: which field has a value that there is not. */
class OutOfRange {
  readonly field: string;

  constructor(field: string) {
    this.field = field;
  }
}

/** Throws Go's ParseError. */
export function parseTime(layout: string, text: string): ZonedTime {
  const fields: Fields = {
    year: 0,
    month: -1,
    day: -1,
    yearDay: -1,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0,
    half: '',
    offsetSeconds: null,
    zone: '',
    isUtc: false,
  };
  let rest = text;
  const parts = splitLayout(layout);
  for (const [index, { prefix, element }] of parts.entries()) {
    const skipped = skipPrefix(rest, prefix);
    if (skipped === null) throw cannotParse(text, layout, rest, prefix);
    rest = skipped;
    if (element === '') break;
    rest = readElement(text, layout, rest, fields, element, parts[index + 1]?.element ?? '');
  }
  if (rest !== '') throw callError`parsing time ${quoted(text)}: extra text: ${quoted(rest)}`;
  return toTime(text, fields);
}

function cannotParse(text: string, layout: string, rest: string, element: string): CallError {
  return callError`parsing time ${quoted(text)} as ${quoted(layout)}: cannot parse ${quoted(rest)} as ${quoted(element)}`;
}

/** A space in the layout takes any number of them. */
function skipPrefix(text: string, prefix: string): string | null {
  let rest = text;
  let left = prefix;
  while (left !== '') {
    if (left.startsWith(' ')) {
      if (rest !== '' && !rest.startsWith(' ')) return null;
      left = left.replace(/^ +/, '');
      rest = rest.replace(/^ +/, '');
    } else if (rest.charAt(0) === left.charAt(0)) {
      left = left.slice(1);
      rest = rest.slice(1);
    } else return null;
  }
  return rest;
}

function readElement(
  text: string,
  layout: string,
  rest: string,
  fields: Fields,
  element: string,
  next: string,
): string {
  try {
    const size = readerOf(element)(rest, fields, element);
    if (size === null) throw cannotParse(text, layout, rest, element);
    const left = rest.slice(size);
    const isSecond = element === '5' || element === '05';
    const fraction = isSecond && !/^[.,]/.test(next) ? /^[.,]\d+/.exec(left)?.[0] : undefined;
    if (fraction === undefined) return left;
    fields.nanoseconds = nanosecondsOf(fraction);
    return left.slice(fraction.length);
  } catch (error) {
    if (!(error instanceof OutOfRange)) throw error;
    throw callError`parsing time ${quoted(text)}: ${plain(error.field)} out of range`;
  }
}

function nanosecondsOf(fraction: string): number {
  return Number(fraction.slice(1, 10).padEnd(9, '0'));
}

function readerOf(element: string): Reader {
  const known = readers[element];
  if (known !== undefined) return known;
  return /^[.,]/.test(element) ? readFraction : readOffset;
}

function number(
  form: RegExp,
  name: 'month' | 'day' | 'yearDay' | 'hour' | 'minute' | 'second',
  range?: readonly [number, number, string],
): Reader {
  return (text, fields) => {
    const match = form.exec(text);
    if (match === null) return null;
    const value = Number(match[1]);
    fields[name] = value;
    if (range !== undefined && (value < range[0] || value > range[1])) throw new OutOfRange(range[2]);
    return match[0].length;
  };
}

function nameOf(
  names: readonly string[],
  length: number,
  assign: (fields: Fields, index: number) => void,
): Reader {
  return (text, fields) => {
    for (const [index, full] of names.entries()) {
      const name = full.slice(0, length);
      if (text.slice(0, name.length).toLowerCase() !== name.toLowerCase()) continue;
      assign(fields, index);
      return name.length;
    }
    return null;
  };
}

function half(am: string, pm: string): Reader {
  return (text, fields) => {
    if (text.startsWith(pm)) fields.half = 'pm';
    else if (text.startsWith(am)) fields.half = 'am';
    else return null;
    return 2;
  };
}

const setMonth = (fields: Fields, index: number): void => {
  fields.month = index + 1;
};
const ignore = (): void => {};
const loose = /^(\d\d?)/;
const fixed = /^(\d\d)/;
const month = [1, 12, 'month'] as const;
const hour = [0, 23, 'hour'] as const;
const hour12 = [0, 12, 'hour'] as const;
const minute = [0, 59, 'minute'] as const;
const second = [0, 59, 'second'] as const;

const readers: Readonly<Record<string, Reader>> = {
  '2006': (text, fields) => readYear(/^\d{4}/, text, fields),
  '06': (text, fields) => readYear(/^[+\-\d]\d/, text, fields),
  January: nameOf(monthNames, 9, setMonth),
  Jan: nameOf(monthNames, 3, setMonth),
  '1': number(loose, 'month', month),
  '01': number(fixed, 'month', month),
  Monday: nameOf(dayNames, 9, ignore),
  Mon: nameOf(dayNames, 3, ignore),
  '2': number(loose, 'day'),
  _2: number(/^ ?(\d\d?)/, 'day'),
  '02': number(fixed, 'day'),
  __2: number(/^ {0,2}(\d{1,3})/, 'yearDay'),
  '002': number(/^(\d{3})/, 'yearDay'),
  '15': number(loose, 'hour', hour),
  '3': number(loose, 'hour', hour12),
  '03': number(fixed, 'hour', hour12),
  '4': number(loose, 'minute', minute),
  '04': number(fixed, 'minute', minute),
  '5': number(loose, 'second', second),
  '05': number(fixed, 'second', second),
  PM: half('AM', 'PM'),
  pm: half('am', 'pm'),
  MST: readZone,
};

function readYear(form: RegExp, text: string, fields: Fields): number | null {
  const digits = form.exec(text)?.[0];
  if (digits === undefined) return null;
  const year = Number(digits);
  fields.year = digits.length === 4 ? year : year + (year >= 69 ? 1900 : 2000);
  return digits.length;
}

function readZone(text: string, fields: Fields): number | null {
  if (text.startsWith('UTC')) {
    fields.isUtc = true;
    return 3;
  }
  const name =
    /^(?:ChST|MeST|GMT(?:[+-](?:2[0-3]|1\d|0?\d)(?!\d))?|[+-](?:2[0-3]|1\d|0?\d)(?!\d)|WITA|[A-Z]{4}T|[A-Z]{3}T|[A-Z]{3}(?![A-Z]))/.exec(
      text,
    )?.[0];
  if (name === undefined || /^[A-Z]{6}/.test(text)) return null;
  fields.zone = name;
  return name.length;
}

/** The sign is checked last, as Go does: `999` is out of range for `-07`. */
const offsetForms: Readonly<Record<string, RegExp>> = {
  '070000': /^(.)(\d\d)(\d\d)(\d\d)/,
  '07:00:00': /^(.)(\d\d):(\d\d):(\d\d)/,
  '0700': /^(.)(\d\d)(\d\d)/,
  '07:00': /^(.)(\d\d):(\d\d)/,
  '07': /^(.)(\d\d)/,
};

function readOffset(text: string, fields: Fields, element: string): number | null {
  if (element.startsWith('Z') && text.startsWith('Z')) {
    fields.isUtc = true;
    return 1;
  }
  const match = offsetForms[element.slice(1)]?.exec(text);
  if (match === null || match === undefined) return null;
  const [all, sign, hours = '0', minutes = '0', seconds = '0'] = match;
  if (Number(seconds) > 60) throw new OutOfRange('time zone offset second');
  if (Number(minutes) > 60) throw new OutOfRange('time zone offset minute');
  if (Number(hours) > 24) throw new OutOfRange('time zone offset hour');
  if (sign !== '+' && sign !== '-') return null;
  const size = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  fields.offsetSeconds = sign === '-' ? -size : size;
  return all.length;
}

function readFraction(text: string, fields: Fields, element: string): number | null {
  const isExact = element[1] === '0';
  const match = (isExact ? new RegExp(`^[.,]\\d{${element.length - 1}}`) : /^[.,]\d+/).exec(text);
  if (match === null) return isExact ? null : 0;
  fields.nanoseconds = nanosecondsOf(match[0]);
  return match[0].length;
}

function toTime(text: string, fields: Fields): ZonedTime {
  if (fields.half === 'pm' && fields.hour < 12) fields.hour += 12;
  else if (fields.half === 'am' && fields.hour === 12) fields.hour = 0;
  if (fields.yearDay >= 0) applyYearDay(text, fields);
  const { year, hour: hours, minute: minutes, second: seconds, nanoseconds } = fields;
  const wantedMonth = fields.month < 0 ? 1 : fields.month;
  const wantedDay = fields.day < 0 ? 1 : fields.day;
  const date = new Date(0);
  date.setUTCFullYear(year, wantedMonth - 1, wantedDay);
  if (date.getUTCDate() !== wantedDay) throw callError`parsing time ${quoted(text)}: day out of range`;
  date.setUTCHours(hours, minutes, seconds);
  const unixSeconds = date.getTime() / 1000;
  if (fields.isUtc) return { unixSeconds, nanoseconds, offsetSeconds: 0, zone: 'UTC' };
  if (fields.offsetSeconds !== null) {
    const { offsetSeconds, zone } = fields;
    const isLocal = offsetSeconds === 0 && (zone === '' || zone === 'UTC');
    return {
      unixSeconds: unixSeconds - offsetSeconds,
      nanoseconds,
      offsetSeconds,
      zone: isLocal ? 'UTC' : zone,
    };
  }
  if (fields.zone === '') return { unixSeconds, nanoseconds, offsetSeconds: 0, zone: 'UTC' };
  const gmtHours = fields.zone.startsWith('GMT') ? Number(fields.zone.slice(3)) : 0;
  const offsetSeconds = gmtHours * 3600;
  return { unixSeconds, nanoseconds, offsetSeconds, zone: fields.zone };
}

/** A day of the year must agree with month and day, where they are given. */
function applyYearDay(text: string, fields: Fields): void {
  const date = new Date(0);
  date.setUTCFullYear(fields.year, 0, fields.yearDay);
  if (fields.yearDay < 1 || date.getUTCFullYear() !== fields.year) {
    throw callError`parsing time ${quoted(text)}: day-of-year out of range`;
  }
  if (fields.month >= 0 && fields.month !== date.getUTCMonth() + 1) {
    throw callError`parsing time ${quoted(text)}: day-of-year does not match month`;
  }
  if (fields.day >= 0 && fields.day !== date.getUTCDate()) {
    throw callError`parsing time ${quoted(text)}: day-of-year does not match day`;
  }
  fields.month = date.getUTCMonth() + 1;
  fields.day = date.getUTCDate();
}
