// Values from text: parseBool, parseInt, parseUint, parseFloat, parseJSON. The empty string gives the zero value.
import { defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import { numberError, parseFloat64, parseInteger, parseUnsigned } from '../../text/number.ts';
import { anyMap } from '../../value/value.ts';
import { decodeJson } from '../go/json/json-decode.ts';
import { named } from './named-error.ts';

const truths: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

export const parsing: FunctionTable = {
  parseBool: defineFunction(['string'], 'bool', (_context, text) =>
    text === '' ? false : named('parseBool', () => parseBool(text)),
  ),
  parseInt: defineFunction(['string'], 'int64', (_context, text) => parseInt64(text)),
  parseUint: defineFunction(['string'], 'uint64', (_context, text) =>
    text === '' ? 0n : named('parseUint', () => parseUnsigned(text, 10, 64)),
  ),
  parseFloat: defineFunction(['string'], 'float64', (_context, text) =>
    text === '' ? 0 : named('parseFloat', () => parseFloat64(text)),
  ),
  parseJSON: defineFunction(['string'], 'any', (context, text) =>
    text === '' ? anyMap([]) : decodeJson(context, text),
  ),
};

/** As the function parseInt; `loop` takes strings through it too. */
export function parseInt64(text: string): bigint {
  return text === '' ? 0n : named('parseInt', () => parseInteger(text, 10, 64));
}

function parseBool(text: string): boolean {
  const known = Object.hasOwn(truths, text) ? truths[text] : undefined;
  if (known === undefined) throw numberError('ParseBool', text, 'invalid syntax');
  return known;
}
