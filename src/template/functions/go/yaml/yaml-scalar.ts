// How libyaml's emitter writes a scalar, as go-yaml v2 has it: which styles a text allows, and its escapes.
import { decodeRune } from '../../../text/bytes.ts';

export type ScalarStyle = 'plain' | 'single' | 'double' | 'literal';

export interface ScalarAnalysis {
  readonly isMultiline: boolean;
  readonly allowsPlain: boolean;
  readonly allowsSingle: boolean;
  readonly allowsLiteral: boolean;
}

const emptyScalar: ScalarAnalysis = {
  isMultiline: false,
  allowsPlain: true,
  allowsSingle: true,
  allowsLiteral: false,
};
const firstIndicators = new Set('#,[]{}&*!|>\'"%@`');

/** Characters that go-yaml writes as they are. */
function isPrintable(rune: number): boolean {
  if (rune < 0xa0) return rune === 0x0a || (rune >= 0x20 && rune <= 0x7e);
  return rune < 0xd800 || (rune >= 0xe000 && rune <= 0xfffd && rune !== 0xfeff);
}

export function isBreak(rune: number): boolean {
  return rune === 0x0a || rune === 0x0d || rune === 0x85 || rune === 0x2028 || rune === 0x2029;
}

/** Finds out what the text has that a style cannot hold. */
export function analyzeScalar(text: string): ScalarAnalysis {
  if (text === '') return emptyScalar;
  let hasIndicator = text.startsWith('---') || text.startsWith('...');
  let hasBreaks = false;
  let hasSpecial = false;
  let hasSpaceAtEnd = false;
  let hasEdge = false;
  let hasBreakSpace = false;
  let hasSpaceBreak = false;
  let previous: 'space' | 'break' | 'other' = 'other';
  let isPrecededByBlank = true;
  for (let i = 0; i < text.length; ) {
    const { rune, size } = decodeRune(text, i);
    const isLast = i + size === text.length;
    if (isIndicator(text, i, isLast, isPrecededByBlank)) hasIndicator = true;
    if (!isPrintable(rune)) hasSpecial = true;
    if (rune === 0x20) {
      hasEdge ||= i === 0 || isLast;
      hasSpaceAtEnd ||= isLast;
      hasBreakSpace ||= previous === 'break';
      previous = 'space';
    } else if (isBreak(rune)) {
      hasBreaks = true;
      hasEdge ||= i === 0 || isLast;
      hasSpaceBreak ||= previous === 'space';
      previous = 'break';
    } else previous = 'other';
    isPrecededByBlank = rune === 0x20 || rune === 0x09 || rune === 0 || isBreak(rune);
    i += size;
  }
  const isHard = hasSpaceBreak || hasSpecial;
  return {
    isMultiline: hasBreaks,
    allowsPlain: !(hasEdge || hasBreakSpace || isHard || hasBreaks || hasIndicator),
    allowsSingle: !(hasBreakSpace || isHard),
    allowsLiteral: !(hasSpaceAtEnd || isHard),
  };
}

/** Whether the character would be taken for syntax in a block. */
function isIndicator(text: string, at: number, isLast: boolean, isPrecededByBlank: boolean): boolean {
  const char = text.charAt(at);
  const next = text[at + 1];
  const isFollowedByBlank = isLast || next === ' ' || next === '\t';
  if (at === 0) {
    if (firstIndicators.has(char)) return true;
    return (char === '?' || char === ':' || char === '-') && isFollowedByBlank;
  }
  return (char === ':' && isFollowedByBlank) || (char === '#' && isPrecededByBlank);
}

const escapes: Readonly<Record<number, string>> = {
  0: '0',
  7: 'a',
  8: 'b',
  9: 't',
  10: 'n',
  11: 'v',
  12: 'f',
  13: 'r',
  27: 'e',
  34: '"',
  92: '\\',
  133: 'N',
  160: '_',
  8232: 'L',
  8233: 'P',
};

/** The escape of a character in double quotes; undefined when it needs none. In a text with a BOM all need one. */
export function doubleQuoteEscape(rune: number, hasBom: boolean): string | undefined {
  const isEscaped = hasBom || !isPrintable(rune) || isBreak(rune) || rune === 0x22 || rune === 0x5c;
  if (!isEscaped) return undefined;
  const short = escapes[rune];
  if (short !== undefined) return `\\${short}`;
  const hex = rune.toString(16).toUpperCase();
  if (rune <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return rune <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** Behind `|`: the indentation, where the text itself begins with space, and what becomes of its last line ends. */
export function literalHints(text: string): string {
  const { rune: first } = decodeRune(text, 0);
  const indent = first === 0x20 || isBreak(first) ? '2' : '';
  const ends = /(?:[\n\r]|\xc2\x85|\xe2\x80[\xa8\xa9]){1,2}$/.exec(text)?.[0] ?? '';
  const count = [...ends.matchAll(/[\n\r]|\xc2\x85|\xe2\x80[\xa8\xa9]/g)].length;
  if (count === 0) return `${indent}-`;
  return indent + (count === 2 || ends === text ? '+' : '');
}
