// Reads JSON of any length step by step, so that the budget of the execution ends it: the runtime's own reader cannot be
// stopped, and some megabytes of empty objects take it seconds.
import { type CallContext, callError } from '../../../exec/function-table.ts';
import { encodeText } from '../../../text/bytes.ts';
import { anyMap, anySlice, type Opened } from '../../../value/value.ts';
import { endOf, partsALook, plainText, space } from './json-scan.ts';

/** What is no JSON: who reads it says what is wrong. */
export class JsonFault extends Error {}

const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const words: ReadonlyMap<string, Opened> = new Map<string, Opened>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/** Throws a JsonFault, or a CallError for what the budget or Go does not allow. */
export function readLongJson(context: CallContext, text: string): Opened {
  let at = 0;

  function matched(pattern: RegExp): string {
    const start = at;
    at = endOf(pattern, text, at);
    return text.slice(start, at);
  }

  function next(): string {
    matched(space);
    return text[at] ?? '';
  }

  function value(depth: number): Opened {
    context.spend(1);
    const char = next();
    if (char === '"') return encodeText(string());
    if (char !== '{' && char !== '[') return plainValue();
    if (depth >= context.limits.valueDepth) throw callError`exceeded max depth`;
    at += 1;
    return char === '{' ? object(depth) : array(depth);
  }

  function object(depth: number): Opened {
    const map = anyMap([]);
    if (next() === '}') {
      at += 1;
      return map;
    }
    for (;;) {
      if (next() !== '"') throw new JsonFault();
      const key = encodeText(string());
      if (next() !== ':') throw new JsonFault();
      at += 1;
      map.set(key, value(depth + 1));
      if (hasEnded('}')) return map;
    }
  }

  function array(depth: number): Opened {
    const items: Opened[] = [];
    if (next() === ']') {
      at += 1;
      return anySlice(items);
    }
    for (;;) {
      items.push(value(depth + 1));
      if (hasEnded(']')) return anySlice(items);
    }
  }

  function hasEnded(end: '}' | ']'): boolean {
    const char = next();
    if (char !== ',' && char !== end) throw new JsonFault();
    at += 1;
    return char === end;
  }

  function string(): string {
    const start = at;
    at += 1;
    for (let parts = 1; ; parts += 1) {
      if (parts % partsALook === 0) context.lookAtTime();
      matched(plainText);
      if (text[at] === '"') break;
      if (matched(escaped) === '') throw new JsonFault();
    }
    at += 1;
    return JSON.parse(text.slice(start, at)) as string;
  }

  function plainValue(): Opened {
    const source = matched(scalar);
    if (source === '') throw new JsonFault();
    const word = words.get(source);
    if (word !== undefined) return word;
    const number = Number(source);
    if (Number.isFinite(number)) return number;
    throw callError`json: cannot unmarshal number ${source} into Go value of type float64`;
  }

  const found = value(0);
  if (next() !== '') throw new JsonFault();
  return found;
}
