// JSON that keeps the source text of numbers: a secret's 1.50 stays 1.50, and 30 digits stay 30 digits.
import { parseJsonText } from './parse-json-text.ts';

/** A number as it was written; the template engine treats it as Go's json.Number. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): unknown {
    return rawJson(this.text);
  }
}

export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

// In V8 since 11.4 (TC39 "JSON.parse source text access"), not yet in TypeScript's library.
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

const keepText = (_value: number, source: string): JsonNumber => new JsonNumber(source);

/** Parses JSON; numbers become `JsonNumber`. Throws a SyntaxError, which quotes nothing of its input. */
export function parseJson(text: string): JsonValue {
  return parseJsonText(text, keepText) as JsonValue;
}

const parsedBytes = new WeakMap<Buffer, WeakRef<JsonObject | JsonValue[]>>();

/**
 * As `parseJson`, once for all who look at these bytes while somebody still has what was made of them: the one who asked, and
 * the one who adopts the answer. Nobody changes the bytes, nor what they get. It is not kept: a value that nobody uses stands
 * in its bytes alone.
 */
export function parseJsonBytes(bytes: Buffer): JsonValue {
  const known = parsedBytes.get(bytes)?.deref();
  if (known !== undefined) return known;
  const value = parseJson(bytes.toString('utf8'));
  if (isJsonObject(value) || Array.isArray(value)) parsedBytes.set(bytes, new WeakRef(value));
  return value;
}

/** Writes JSON with each `JsonNumber` as it came. */
export function stringifyJson(value: JsonValue): string {
  return JSON.stringify(value);
}

/** Of a list; of anything else none. */
export function objectsIn(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

export function isJsonObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber)
  );
}
