// Words of a command line as Go's flag package reads them: one dash or two, `-x=v` and `-x v`, until the first word that is none.

import { LatchkeyError } from '../../base/errors.ts';
import { goBoolean } from '../../base/text/go-boolean.ts';
import { nearest } from '../../base/text/nearest.ts';

/** Of a `list` each one adds to those before. */
export type FlagKind = 'flag' | 'text' | 'number' | 'list';

export interface GoFlags {
  /** In the order in which they came. */
  readonly said: readonly { readonly name: string; readonly value: string }[];
  readonly rest: readonly string[];
}

/** Throws `usage`. A flag without a value is `true`. */
export function parseGoFlags(args: readonly string[], known: Readonly<Record<string, FlagKind>>): GoFlags {
  const said: { name: string; value: string }[] = [];
  let at = 0;
  for (; at < args.length; at++) {
    const word = args[at] ?? '';
    if (word === '--') {
      at++;
      break;
    }
    const [, name = '', assigned] = /^--?([^=-][^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (name === '') break;
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw unknown(name, Object.keys(known));
    if (kind === 'flag') {
      const flag = goBoolean(assigned ?? 'true');
      if (flag === undefined)
        throw usage(`-${name}: expected true or false, got ${JSON.stringify(assigned)}`);
      said.push({ name, value: String(flag) });
      continue;
    }
    const value = assigned ?? args[++at];
    if (value === undefined) throw usage(`-${name}: expected a value after it`);
    if (kind === 'number' && !/^-?\d+$/.test(value))
      throw usage(`-${name}: expected a number, got ${JSON.stringify(value)}`);
    said.push({ name, value });
  }
  return { said, rest: args.slice(at) };
}

/** Of one that may be said several times. */
export function valuesOf({ said }: GoFlags, name: string): string[] {
  return said.filter((flag) => flag.name === name).map(({ value }) => value);
}

function unknown(name: string, known: readonly string[]): LatchkeyError {
  const guess = nearest(name, known);
  return usage(`-${name}: unknown option${guess === undefined ? '' : `; did you mean -${guess}?`}`);
}

function usage(message: string): LatchkeyError {
  return new LatchkeyError('usage', message);
}
