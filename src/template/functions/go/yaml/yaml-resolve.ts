// What a plain scalar means in YAML 1.1 as go-yaml v2 reads it: yes and on are true, 010 is 8, 1_000 a thousand,
// 12:30 a string, a date a timestamp (that templates see as a string).
import { readFloat, readInteger, readUnsigned } from '../../../text/number.ts';
import { typeOfName } from '../../../value/type.ts';
import { InterfaceValue, integer, integerOf, type Opened } from '../../../value/value.ts';

type YamlTag = '!!str' | '!!bool' | '!!null' | '!!int' | '!!float' | '!!timestamp' | '!!binary';

interface Resolved {
  readonly tag: YamlTag;
  readonly value: Opened;
}

const uint64 = typeOfName('uint64');
const words = new Map<string, Resolved>();
const known: readonly (readonly [YamlTag, Opened, string])[] = [
  ['!!bool', true, 'y Y yes Yes YES true True TRUE on On ON'],
  ['!!bool', false, 'n N no No NO false False FALSE off Off OFF'],
  ['!!null', null, '~ null Null NULL'],
  ['!!float', Number.NaN, '.nan .NaN .NAN'],
  ['!!float', Number.POSITIVE_INFINITY, '.inf .Inf .INF +.inf +.Inf +.INF'],
  ['!!float', Number.NEGATIVE_INFINITY, '-.inf -.Inf -.INF'],
];
for (const [tag, value, texts] of known) for (const text of texts.split(' ')) words.set(text, { tag, value });
words.set('', { tag: '!!null', value: null });

const float = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const sexagesimal = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const dateForms: readonly RegExp[] = [
  /^(\d{4})-(\d{1,2})-(\d{1,2})[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(?:Z|[+-](\d\d):(\d\d))$/,
  /^(\d{4})-(\d{1,2})-(\d{1,2}) +(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?$/,
  /^(\d{4})-(\d{1,2})-(\d{1,2})$/,
];

/** The meaning of a plain scalar. */
export function resolvePlain(text: string): Resolved {
  const word = words.get(text);
  if (word !== undefined) return word;
  if (/^[-+0-9]/.test(text)) return resolveNumber(text);
  if (text.startsWith('.')) {
    const value = readFloat(text);
    if (typeof value === 'number') return { tag: '!!float', value };
  }
  return { tag: '!!str', value: text };
}

function resolveNumber(text: string): Resolved {
  if (isTimestamp(text)) return { tag: '!!timestamp', value: text };
  const digits = text.replaceAll('_', '');
  const whole = readInteger(digits, 0, 64);
  if (typeof whole === 'bigint') return { tag: '!!int', value: whole };
  const unsigned = readUnsigned(digits, 0, 64);
  if (typeof unsigned === 'bigint') return { tag: '!!int', value: integer(uint64, unsigned) as Opened };
  if (float.test(digits)) {
    const value = readFloat(digits);
    if (typeof value === 'number') return { tag: '!!float', value };
  }
  return { tag: '!!str', value: text };
}

/** The forms that go-yaml tries, in Go's own way of reading dates. */
function isTimestamp(text: string): boolean {
  return dateForms.some((form) => {
    const match = form.exec(text);
    return match !== null && isRealDate(match);
  });
}

function isRealDate(match: RegExpExecArray): boolean {
  const [, year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.map(Number);
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  const isZoned = match[7] !== undefined;
  const isGoodZone = !isZoned || (Number(match[7]) <= 24 && Number(match[8]) < 60);
  return (
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= days &&
    hour < 24 &&
    minute < 60 &&
    second < 60 &&
    isGoodZone
  );
}

const resolvable = new Set(['!!str', '!!bool', '!!int', '!!float', '!!null', '!!timestamp']);

/** The value of a scalar with a tag; null when the text is none of that kind. Foreign tags leave it a string. */
export function resolveTagged(tag: string, text: string): InterfaceValue | null {
  if (tag === '!!str' || !resolvable.has(tag)) return new InterfaceValue(text);
  const resolved = resolvePlain(text);
  if (resolved.tag === tag) return new InterfaceValue(resolved.value);
  const whole = integerOf(resolved.value);
  const isIntAsFloat = tag === '!!float' && resolved.tag === '!!int' && whole !== null && whole < 1n << 63n;
  return isIntAsFloat ? new InterfaceValue(Number(whole)) : null;
}

/** Whether a string may stand unquoted and still be read as the string. */
export function canBePlainString(text: string): boolean {
  return resolvePlain(text).tag === '!!str' && !sexagesimal.test(text);
}
