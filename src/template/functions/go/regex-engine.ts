// Go's regexp package on byte strings, over the RE2 port re2js: RE2's syntax and its time linear in the text, Go's rules
// for empty matches and for `$1` in replacements.

import { isUtf8 } from 'node:buffer';
import { type Matcher, RE2JS } from 're2js';
import { BoundedMap } from '../../../base/bounded-map.ts';
import { type CallContext, callError, type ErrorPart, plain } from '../../exec/function-table.ts';
import { decodeRune, decodeText, encodeText, toBuffer } from '../../text/bytes.ts';
import { isAlphaNumeric } from '../../text/unicode.ts';

/** Start and end of the match and of each group, in bytes; -1 for a group that took no part. */
type Match = readonly number[];

const mostCompiled = 100;
const compiled = new BoundedMap<string, RE2JS>(mostCompiled);
const onlyAscii = /^[\0-\x7f]*$/;

/** What compiling costs for each instruction of the program, more than most steps do. */
const stepsAnInstruction = 4;

/** Compiling a longer one could take more time than a whole execution has, before anything of it is known. */
const longestPattern = 8 * 1024;
/** Instructions times bytes of a text for one step: of a search for the place of a match, and for whether there is one. */
const unitsAStep = { find: 16, test: 64 } as const;

/** Throws Go's error about the syntax, with a hint where RE2 lacks what Perl has. */
export function compileRegex(context: CallContext, pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (!isUtf8(toBuffer(pattern))) throw callError`error parsing regexp: invalid UTF-8: \`${pattern}\``;
  if (pattern.length > longestPattern) {
    throw callError`error parsing regexp: the pattern is longer than ${plain(longestPattern)} bytes`;
  }
  context.spend(pattern.length);
  const regex = parse(decodeText(pattern));
  context.spend(regex.programSize() * stepsAnInstruction);
  compiled.set(pattern, regex);
  return regex;
}

function parse(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    const unique = withUniqueNames(pattern);
    if (!(error as Error).message.includes('duplicate capture group name') || unique === pattern)
      throw syntaxError(error);
    return parse(unique);
  }
}

/** Go lets several groups have one name, of which the first counts; the library does not. */
function withUniqueNames(pattern: string): string {
  const seen = new Set<string>();
  return pattern.replace(/\\[\s\S]|\(\?P?<([A-Za-z0-9_]+)>/g, (all, name: string | undefined) => {
    if (name === undefined) return all;
    if (seen.has(name)) return '(';
    seen.add(name);
    return all;
  });
}

function syntaxError(error: unknown) {
  const { message } = error as Error;
  const match = /^error parsing regexp: ([^`]*?)(?:: (`[\s\S]*`))?$/.exec(message);
  const reason = match?.[1] ?? 'invalid pattern';
  const input = match?.[2] ?? (reason.startsWith('trailing backslash') ? '``' : '');
  return callError`error parsing regexp: ${plain(reason)}${plain(input === '' ? '' : ': ')}${encodeText(input)}${hint(reason, input)}`;
}

function hint(reason: string, input: string): ErrorPart {
  const isLookaround = reason.startsWith('invalid or unsupported Perl') && /\(\?<?[=!]/.test(input);
  const isReference = reason.startsWith('invalid escape') && /\\[1-9]/.test(input);
  if (isLookaround) return plain('; RE2 has no lookahead and no lookbehind');
  return plain(isReference ? '; RE2 has no backreferences' : '');
}

/** What the library searches: its offsets in bytes are ours, and in ASCII text bytes are characters. */
function inputOf(bytes: string): string | Uint8Array {
  return onlyAscii.test(bytes) ? bytes : toBuffer(bytes);
}

/** A text that is searched again and again. */
class Subject {
  readonly bytes: string;
  readonly #context: CallContext;
  readonly #matcher: Matcher;
  readonly #groups: number;

  constructor(context: CallContext, regex: RE2JS, bytes: string) {
    spendOnSearch(context, regex, bytes, 'find');
    this.#context = context;
    this.bytes = bytes;
    this.#groups = regex.groupCount();
    this.#matcher = regex.matcher(inputOf(bytes));
  }

  /** The leftmost match that begins at the byte or later. */
  findFrom(start: number): Match | null {
    // Each may look through all that is left for a longer match, and find the shortest one.
    this.#context.lookAtTime();
    if (!this.#matcher.find(start)) return null;
    const offsets: number[] = [];
    for (let group = 0; group <= this.#groups; group++) {
      offsets.push(this.#matcher.start(group), this.#matcher.end(group));
    }
    return offsets;
  }

  /** How many bytes the rune at the offset has, 0 at the end. */
  widthAt(offset: number): number {
    return decodeRune(this.bytes, offset).size;
  }
}

/** A search takes time by the size of the program and of the text. */
function spendOnSearch(context: CallContext, regex: RE2JS, text: string, kind: 'find' | 'test'): void {
  context.spend(Math.ceil((regex.programSize() * text.length) / unitsAStep[kind]));
}

/** As MatchString. */
export function matches(context: CallContext, pattern: string, text: string): boolean {
  const regex = compileRegex(context, pattern);
  spendOnSearch(context, regex, text, 'test');
  return regex.test(inputOf(text));
}

/** As FindAllStringIndex with at most `limit` matches, all when it is negative. */
export function findAll(context: CallContext, pattern: string, text: string, limit: bigint): Match[] {
  const subject = new Subject(context, compileRegex(context, pattern), text);
  const found: Match[] = [];
  const most = limit < 0n ? Number.POSITIVE_INFINITY : Number(limit);
  let previousEnd = -1;
  for (let at = 0; found.length < most && at <= text.length; ) {
    context.spend(1);
    const match = subject.findFrom(at);
    if (match === null) break;
    const [start = 0, end = 0] = match;
    const isEmptyHere = end === at;
    if (!isEmptyHere || start !== previousEnd) found.push(match);
    at = isEmptyHere ? at + (subject.widthAt(at) || text.length + 1) : end;
    previousEnd = end;
  }
  return found;
}

/** As FindString: the leftmost match, `` when there is none. */
export function findFirst(context: CallContext, pattern: string, text: string): string {
  const [start = 0, end = 0] = new Subject(context, compileRegex(context, pattern), text).findFrom(0) ?? [];
  return text.slice(start, end);
}

/** As ReplaceAllString; `expand` gives what stands for a match. */
export function replaceMatches(
  context: CallContext,
  pattern: string,
  text: string,
  expand: (match: Match, regex: RE2JS) => string,
): string {
  const regex = compileRegex(context, pattern);
  const subject = new Subject(context, regex, text);
  const parts: string[] = [];
  let bytes = 0;
  let lastEnd = 0;
  for (let at = 0; at <= text.length; ) {
    const match = subject.findFrom(at);
    if (match === null) break;
    const [start = 0, end = 0] = match;
    parts.push(text.slice(lastEnd, start));
    if (end > lastEnd || start === 0) {
      const replaced = expand(match, regex);
      bytes += replaced.length;
      if (bytes > context.limits.stringBytes) context.claim(bytes);
      parts.push(replaced);
    }
    context.spend(1);
    lastEnd = end;
    at = Math.max(end, at + Math.max(1, subject.widthAt(at)));
  }
  parts.push(text.slice(lastEnd));
  context.claim(bytes + text.length);
  return parts.join('');
}

/** As Split. */
export function splitMatches(
  context: CallContext,
  pattern: string,
  text: string,
  limit: bigint,
): string[] | null {
  compileRegex(context, pattern);
  if (limit === 0n) return null;
  if (pattern !== '' && text === '') return [''];
  const parts: string[] = [];
  let begin = 0;
  let end = 0;
  for (const [start = 0, stop = 0] of findAll(context, pattern, text, limit)) {
    if (limit > 0n && parts.length === Number(limit) - 1) break;
    end = start;
    if (stop !== 0) parts.push(text.slice(begin, end));
    begin = stop;
  }
  if (end !== text.length) parts.push(text.slice(begin));
  return parts;
}

/** As Expand: `$1`, `$name`, `${name}`, `$$`; a name that is no group gives nothing. */
export function expander(text: string, template: string): (match: Match, regex: RE2JS) => string {
  if (!template.includes('$')) return () => template;
  const parts = parseReplacement(template);
  return (match, regex) =>
    parts
      .map((part) => (typeof part === 'string' ? part : groupText(text, match, regex, part.name)))
      .join('');
}

interface GroupReference {
  readonly name: string;
}

function parseReplacement(template: string): (string | GroupReference)[] {
  const parts: (string | GroupReference)[] = [];
  let rest = template;
  for (;;) {
    const at = rest.indexOf('$');
    if (at < 0) break;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
    if (rest.startsWith('$')) {
      parts.push('$');
      rest = rest.slice(1);
      continue;
    }
    const reference = readReference(rest);
    if (reference === null) {
      parts.push('$');
      continue;
    }
    parts.push({ name: reference.name });
    rest = rest.slice(reference.size);
  }
  parts.push(rest);
  return parts;
}

/** The longest name behind a `$`, or the one in braces; null when it is malformed. */
function readReference(rest: string): { name: string; size: number } | null {
  const isBraced = rest.startsWith('{');
  let end = isBraced ? 1 : 0;
  while (end < rest.length) {
    const { rune, size } = decodeRune(rest, end);
    if (!isAlphaNumeric(rune)) break;
    end += size;
  }
  const name = rest.slice(isBraced ? 1 : 0, end);
  if (name === '' || (isBraced && rest[end] !== '}')) return null;
  return { name, size: isBraced ? end + 1 : end };
}

function groupText(text: string, match: Match, regex: RE2JS, name: string): string {
  const isNumber = /^(?:0|[1-9]\d{0,7})$/.test(name);
  const group = isNumber ? Number(name) : (regex.namedGroups()[decodeText(name)] ?? -1);
  const start = match[2 * group] ?? -1;
  return start < 0 ? '' : text.slice(start, match[2 * group + 1]);
}
