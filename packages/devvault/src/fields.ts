// Request fields as Vault coerces them: numbers may come as strings, durations as seconds or text, lists comma-separated.
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../../src/base/text/json.ts';
import { badRequest } from './vault-error.ts';

/** True when the request has the field at all, even empty. */
export function hasField(data: JsonObject, name: string): boolean {
  return Object.hasOwn(data, name) && data[name] !== null;
}

export function textField(data: JsonObject, name: string, fallback = ''): string {
  const value = data[name];
  if (value === undefined || value === null) return fallback;
  if (typeof value === 'string') return value;
  if (value instanceof JsonNumber) return value.text;
  if (typeof value === 'boolean') return String(value);
  throw invalidField(name, 'string', value);
}

export function boolField(data: JsonObject, name: string, fallback = false): boolean {
  const value = data[name];
  if (value === undefined || value === null || value === '') return fallback;
  if (typeof value === 'boolean') return value;
  if (value instanceof JsonNumber) return Number(value.text) !== 0;
  if (typeof value === 'string') {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
  }
  throw invalidField(name, 'bool', value);
}

export function intField(data: JsonObject, name: string, fallback = 0): number {
  const value = data[name];
  if (value === undefined || value === null || value === '') return fallback;
  const number = Number(value instanceof JsonNumber ? value.text : value);
  if (!Number.isInteger(number) || typeof value === 'boolean') {
    throw badRequest(
      `error converting input for field "${name}": '' cannot parse value as 'int': strconv.ParseInt: invalid syntax`,
    );
  }
  return number;
}

/** Seconds of a duration: `3600`, `"3600"`, `"1h"`, `"90m30s"`, `"2d"`. */
export function secondsField(data: JsonObject, name: string, fallback = 0): number {
  const value = data[name];
  if (value === undefined || value === null || value === '') return fallback;
  const seconds = parseSeconds(value instanceof JsonNumber ? value.text : value);
  if (seconds === undefined && typeof value === 'string') {
    throw badRequest(
      `error converting input for field "${name}": time: invalid duration ${JSON.stringify(value)}`,
    );
  }
  if (seconds === undefined) throw invalidField(name, 'duration', value);
  return seconds;
}

const durationPart = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g;
const unitSeconds: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
};

/** Seconds of Vault's duration text; undefined when it is none. */
export function parseSeconds(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (/^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  if (!/^-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/.test(value)) return undefined;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(durationPart))
    total += Number(amount) * (unitSeconds[unit ?? ''] ?? 0);
  return value.startsWith('-') ? -total : total;
}

/** A list given as an array or as text with commas; empty items are dropped. */
export function listField(data: JsonObject, name: string, fallback: readonly string[] = []): string[] {
  const value = data[name];
  if (value === undefined || value === null) return [...fallback];
  const items = Array.isArray(value)
    ? value.map((item) => scalarText(name, item))
    : scalarText(name, value).split(',');
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

/** Statements may hold commas: an array stays as it is, text is one item (or a JSON array in text). */
export function statementsField(data: JsonObject, name: string, fallback: readonly string[] = []): string[] {
  const value = data[name];
  if (value === undefined || value === null || value === '') return [...fallback];
  if (Array.isArray(value)) return value.map((item) => scalarText(name, item));
  const text = scalarText(name, value);
  if (text.trimStart().startsWith('[')) {
    try {
      const items: unknown = JSON.parse(text);
      if (Array.isArray(items) && items.every((item) => typeof item === 'string')) return items;
    } catch {
      // Not JSON after all: one statement that begins with a bracket.
    }
  }
  return [text];
}

export function mapField(data: JsonObject, name: string): JsonObject | undefined {
  const value = data[name];
  if (value === undefined || value === null) return undefined;
  if (isJsonObject(value)) return value;
  throw invalidField(name, 'map', value);
}

/** A map of texts; `key=value` lists are read too, as Vault does. */
export function textMapField(data: JsonObject, name: string): Record<string, string> | undefined {
  const value = data[name];
  if (Array.isArray(value) || typeof value === 'string') {
    const pairs = listField(data, name).map((pair) => pair.split('=', 2) as [string, string?]);
    return Object.fromEntries(pairs.map(([key, text]) => [key, text ?? '']));
  }
  const map = mapField(data, name);
  return map && Object.fromEntries(Object.entries(map).map(([key, item]) => [key, scalarText(name, item)]));
}

function scalarText(name: string, value: JsonValue): string {
  if (typeof value === 'string') return value;
  if (value instanceof JsonNumber) return value.text;
  if (typeof value === 'boolean') return String(value);
  throw invalidField(name, 'string', value);
}

function invalidField(name: string, expected: string, value: JsonValue): Error {
  const kind =
    value === null
      ? 'null'
      : Array.isArray(value)
        ? 'list'
        : value instanceof JsonNumber
          ? 'number'
          : typeof value;
  return badRequest(
    `error converting input for field "${name}": expected type '${expected}', got unconvertible type '${kind}'`,
  );
}
