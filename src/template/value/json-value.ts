// JSON as Go sees it after decoding into interface {} with UseNumber: maps, slices, byte strings, json.Number.
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '../../base/text/json.ts';
import { callError, plain } from '../exec/function-table.ts';
import { encodeText } from '../text/bytes.ts';
import { anyMap, anySlice, type MapValue, type Opened } from './value.ts';

const deepest = 1000;

/** Text becomes byte strings, numbers stay as they were written. Throws when nested deeper than 1000. */
export function fromJson(value: JsonValue, depth = 0): Opened {
  if (typeof value === 'string') return encodeText(value);
  if (value === null || typeof value === 'boolean' || value instanceof JsonNumber) return value;
  if (depth > deepest) throw callError`value is nested deeper than ${plain(deepest)}`;
  if (isJsonObject(value)) return fromJsonObject(value, depth);
  return anySlice(value.map((item) => fromJson(item, depth + 1)));
}

/** A map[string]interface {}. */
export function fromJsonObject(object: JsonObject, depth = 0): MapValue {
  return anyMap(
    Object.entries(object).map(([key, item]) => [encodeText(key), fromJson(item, depth + 1)] as const),
  );
}
