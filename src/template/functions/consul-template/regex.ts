// Regular expressions of consul-template, pattern first, text last. RE2's syntax.
import { defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import { expander, matches, replaceMatches } from '../go/regex-engine.ts';

export const regex: FunctionTable = {
  regexMatch: defineFunction(['string', 'string'], 'bool', matches),
  regexReplaceAll: defineFunction(
    ['string', 'string', 'string'],
    'string',
    (context, pattern, replacement, text) =>
      replaceMatches(context, pattern, text, expander(text, replacement)),
  ),
};
