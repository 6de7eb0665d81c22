// As Go's json.Unmarshal into an interface {}: objects become map[string]interface {}, numbers float64; syntax errors
// in Go's words.
import { isUtf8 } from 'node:buffer';
import { parseJsonText } from '../../../../base/text/parse-json-text.ts';
import { type CallContext, callError } from '../../../exec/function-table.ts';
import { decodeText, encodeText, toBuffer } from '../../../text/bytes.ts';
import { anyMap, anySlice, type Opened } from '../../../value/value.ts';
import { mapRunes } from '../letter-case.ts';
import { JsonFault, readLongJson } from './json-long.ts';
import { checkJson } from './json-syntax.ts';

/** A number of JSON text that no float64 can hold, by its source. */
class HugeNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

type Parsed = null | boolean | string | number | HugeNumber | Parsed[] | { [key: string]: Parsed };

/** Throws a CallError as Go's json would say it. */
export function decodeJson(context: CallContext, bytes: string): Opened {
  const text = decodeText(isUtf8(toBuffer(bytes)) ? bytes : mapRunes(bytes, (rune) => rune));
  return text.length > longestAtOnce ? decodeLong(context, bytes, text) : decodeShort(context, bytes, text);
}

/** What the runtime's own reader has done before anybody could have stopped it. */
const longestAtOnce = 64 * 1024;

function decodeShort(context: CallContext, bytes: string, text: string): Opened {
  let parsed: Parsed;
  try {
    parsed = parseJsonText(text, keepHuge) as Parsed;
  } catch {
    checkJson(context, bytes);
    throw callError`invalid JSON`;
  }
  return convert(context, parsed, 0);
}

function decodeLong(context: CallContext, bytes: string, text: string): Opened {
  try {
    return readLongJson(context, text);
  } catch (error) {
    // A mistake of writing comes first, wherever it is.
    checkJson(context, bytes);
    if (error instanceof JsonFault) throw callError`invalid JSON`;
    throw error;
  }
}

function keepHuge(value: number, source: string): number | HugeNumber {
  return Number.isFinite(value) ? value : new HugeNumber(source);
}

function convert(context: CallContext, value: Parsed, depth: number): Opened {
  if (typeof value === 'string') return encodeText(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof HugeNumber) {
    throw callError`json: cannot unmarshal number ${value.source} into Go value of type float64`;
  }
  if (depth >= context.limits.valueDepth) throw callError`exceeded max depth`;
  if (Array.isArray(value)) {
    context.spend(value.length);
    return anySlice(value.map((item) => convert(context, item, depth + 1)));
  }
  const entries = Object.entries(value);
  context.spend(entries.length);
  return anyMap(
    entries.map(([key, item]): [string, Opened] => [encodeText(key), convert(context, item, depth + 1)]),
  );
}
