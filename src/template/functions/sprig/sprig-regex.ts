// sprig's regular expressions: pattern, text, then the rest. The plain ones panic on a bad pattern where the `must` ones
// return the error; to a template the two differ by their text alone.
import {
  type CallContext,
  CallError,
  callError,
  defineFunction,
  type ErrorPart,
  type FunctionTable,
  shownAs,
} from '../../exec/function-table.ts';
import { canBackquote, quoteString } from '../../text/quote.ts';
import { stringSlice } from '../../value/value.ts';
import {
  compileRegex,
  expander,
  findAll,
  findFirst,
  matches,
  replaceMatches,
  splitMatches,
} from '../go/regex-engine.ts';

type Run<T> = (context: CallContext, pattern: string, text: string, last: string) => T;

function find(isMust: boolean) {
  return defineFunction(['string', 'string'], 'string', (context, pattern, text) => {
    check(context, pattern, isMust);
    return findFirst(context, pattern, text);
  });
}

function all(isMust: boolean) {
  return defineFunction(['string', 'string', 'int'], '[]string', (context, pattern, text, limit) => {
    check(context, pattern, isMust);
    const found = findAll(context, pattern, text, limit).map(([start, end]) => text.slice(start, end));
    return stringSlice(found.length === 0 ? null : found);
  });
}

function split(isMust: boolean) {
  return defineFunction(['string', 'string', 'int'], '[]string', (context, pattern, text, limit) => {
    check(context, pattern, isMust);
    return stringSlice(splitMatches(context, pattern, text, limit));
  });
}

function replace(isMust: boolean, isLiteral: boolean) {
  const run: Run<string> = (context, pattern, text, replacement) => {
    check(context, pattern, isMust);
    return replaceMatches(
      context,
      pattern,
      text,
      isLiteral ? () => replacement : expander(text, replacement),
    );
  };
  return defineFunction(['string', 'string', 'string'], 'string', run);
}

/** What regexp.MustCompile panics with. */
function check(context: CallContext, pattern: string, isMust: boolean): void {
  try {
    compileRegex(context, pattern);
  } catch (error) {
    throw error instanceof CallError && !isMust
      ? callError`regexp: Compile(${quotedPattern(pattern)}): ${error}`
      : error;
  }
}

export const sprigRegex: FunctionTable = {
  /** A bad pattern matches nothing. */
  sprig_regexMatch: defineFunction(['string', 'string'], 'bool', (context, pattern, text) => {
    try {
      compileRegex(context, pattern);
    } catch {
      return false;
    }
    return matches(context, pattern, text);
  }),
  sprig_mustRegexMatch: defineFunction(['string', 'string'], 'bool', matches),
  sprig_regexFind: find(false),
  sprig_mustRegexFind: find(true),
  sprig_regexFindAll: all(false),
  sprig_mustRegexFindAll: all(true),
  sprig_regexSplit: split(false),
  sprig_mustRegexSplit: split(true),
  sprig_regexReplaceAll: replace(false, false),
  sprig_mustRegexReplaceAll: replace(true, false),
  sprig_regexReplaceAllLiteral: replace(false, true),
  sprig_mustRegexReplaceAllLiteral: replace(true, true),
  sprig_regexQuoteMeta: defineFunction(['string'], 'string', (_context, text) =>
    text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'),
  ),
};

function quotedPattern(pattern: string): ErrorPart {
  return shownAs(pattern, canBackquote(pattern) ? `\`${pattern}\`` : quoteString(pattern));
}
