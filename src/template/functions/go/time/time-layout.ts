// Go's time layouts: "2006-01-02" and its like, taken apart into elements, and times written by them.

/** A point in time in a zone. Years are those that JavaScript's Date can hold. */
export interface ZonedTime {
  readonly unixSeconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
  readonly offsetSeconds: number;
  /** `UTC`, `MST`; empty when the zone has only its offset. */
  readonly zone: string;
}

/** The numbers of a time in its zone. */
export interface Civil {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** Sunday is 0. */
  readonly weekday: number;
  /** 1 to 366. */
  readonly yearDay: number;
}

export interface LayoutPart {
  /** Text in front of the element. */
  readonly prefix: string;
  /** As it stands in the layout; empty at the end. */
  readonly element: string;
}

export const monthNames: readonly string[] = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
export const dayNames: readonly string[] = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
];

const element = new RegExp(
  [
    'January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|[345]|PM|pm',
    '[-Z](?:070000|07:00:00|0700|07:00|07)',
    '[.,](?:0+|9+)(?!\\d)',
  ].join('|'),
  'g',
);

export function splitLayout(layout: string): LayoutPart[] {
  const parts: LayoutPart[] = [];
  let end = 0;
  for (const match of layout.matchAll(element)) {
    parts.push({ prefix: layout.slice(end, match.index), element: match[0] });
    end = match.index + match[0].length;
  }
  parts.push({ prefix: layout.slice(end), element: '' });
  return parts;
}

export function utcTime(date: Date): ZonedTime {
  const ms = date.getTime();
  const unixSeconds = Math.floor(ms / 1000);
  return { unixSeconds, nanoseconds: (ms - unixSeconds * 1000) * 1_000_000, offsetSeconds: 0, zone: 'UTC' };
}

export function civil(time: ZonedTime): Civil {
  const date = new Date((time.unixSeconds + time.offsetSeconds) * 1000);
  const year = date.getUTCFullYear();
  const newYear = new Date(0);
  newYear.setUTCFullYear(year, 0, 1);
  return {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
    yearDay: Math.floor((date.getTime() - newYear.getTime()) / 86_400_000) + 1,
  };
}

/** As Time.Format. */
export function formatTime(time: ZonedTime, layout: string): string {
  const now = civil(time);
  return splitLayout(layout)
    .map(({ prefix, element: wanted }) => prefix + formatElement(wanted, now, time))
    .join('');
}

function formatElement(wanted: string, now: Civil, time: ZonedTime): string {
  const simple = formatNumber(wanted, now);
  if (simple !== null) return simple;
  switch (wanted) {
    case '':
      return '';
    case 'January':
      return monthNames[now.month - 1] ?? '';
    case 'Jan':
      return (monthNames[now.month - 1] ?? '').slice(0, 3);
    case 'Monday':
      return dayNames[now.weekday] ?? '';
    case 'Mon':
      return (dayNames[now.weekday] ?? '').slice(0, 3);
    case 'PM':
      return now.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return now.hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return time.zone === '' ? formatOffset('-0700', time.offsetSeconds) : time.zone;
    default:
      return /^[.,]/.test(wanted)
        ? formatFraction(wanted, time.nanoseconds)
        : formatOffset(wanted, time.offsetSeconds);
  }
}

function formatNumber(wanted: string, now: Civil): string | null {
  const hour12 = now.hour % 12 || 12;
  switch (wanted) {
    case '2006':
      return padYear(now.year);
    case '06':
      return pad(Math.max(now.year, 0) % 100, 2);
    case '1':
      return String(now.month);
    case '01':
      return pad(now.month, 2);
    case '2':
      return String(now.day);
    case '_2':
      return String(now.day).padStart(2);
    case '02':
      return pad(now.day, 2);
    case '__2':
      return String(now.yearDay).padStart(3);
    case '002':
      return pad(now.yearDay, 3);
    case '15':
      return pad(now.hour, 2);
    case '3':
      return String(hour12);
    case '03':
      return pad(hour12, 2);
    case '4':
      return String(now.minute);
    case '04':
      return pad(now.minute, 2);
    case '5':
      return String(now.second);
    case '05':
      return pad(now.second, 2);
    default:
      return null;
  }
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

function padYear(year: number): string {
  return year < 0 ? `-${pad(-year, 4)}` : pad(year, 4);
}

/** `000` writes that many digits, `999` leaves out zeros at the end, and the point with them. */
function formatFraction(wanted: string, nanoseconds: number): string {
  const digits = pad(nanoseconds, 9)
    .slice(0, wanted.length - 1)
    .padEnd(wanted.length - 1, '0');
  if (wanted[1] === '0') return wanted.charAt(0) + digits;
  const kept = digits.slice(0, 9).replace(/0+$/, '');
  return kept === '' ? '' : wanted.charAt(0) + kept;
}

function formatOffset(wanted: string, offsetSeconds: number): string {
  if (wanted.startsWith('Z') && offsetSeconds === 0) return 'Z';
  const size = Math.abs(offsetSeconds);
  const hours = pad(Math.floor(size / 3600), 2);
  const minutes = pad(Math.floor(size / 60) % 60, 2);
  const seconds = pad(size % 60, 2);
  const sign = offsetSeconds < 0 ? '-' : '+';
  const form = wanted.slice(1);
  if (form === '07') return sign + hours;
  const colon = form.includes(':') ? ':' : '';
  const isLong = form === '070000' || form === '07:00:00';
  return sign + hours + colon + minutes + (isLong ? colon + seconds : '');
}
