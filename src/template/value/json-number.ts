// Go's json.Number: a number of a secret, kept as its text, with the methods String, Int64 and Float64.
import type { JsonNumber } from '../../base/text/json.ts';
import { defineMethod } from '../exec/function-table.ts';
import { parseFloat64, parseInteger } from '../text/number.ts';
import { declareMethods, jsonNumberType } from './type.ts';

declareMethods(jsonNumberType, {
  String: defineMethod([], 'string', (_context, self: JsonNumber) => self.text),
  Int64: defineMethod([], 'int64', (_context, self: JsonNumber) => parseInteger(self.text, 10, 64)),
  Float64: defineMethod([], 'float64', (_context, self: JsonNumber) => parseFloat64(self.text)),
});
