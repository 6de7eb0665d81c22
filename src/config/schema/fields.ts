// The building blocks of the config schema: texts with a form (durations, modes, signals), closed sections, docs of keys.
// A block's error message says only what is expected; problems.ts adds the place, what came and the remedy.
import { constants } from 'node:os';
import * as z from 'zod/mini';
import { parseDuration } from '../../base/time/duration.ts';

type Shape = Readonly<Record<string, z.core.SomeType>>;

/** A map with these keys and no others. Its unknown-key error lists the known keys, separated by commas. */
export function section<const T extends Shape>(shape: T) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(',') : 'a map'),
  });
}

/** Attaches what the JSON Schema and the reference page say about a key. */
export function doc<T extends z.ZodMiniType>(schema: T, description: string): T {
  const target = z.globalRegistry.has(schema) ? z.clone(schema) : schema;
  z.globalRegistry.add(target, { description });
  return target;
}

/** A string of one form, handed on as what `parse` makes of it. */
function formed<T>(expected: string, pattern: RegExp, parse: (text: string) => T) {
  return z.pipe(z.string(expected).check(z.regex(pattern, expected)), z.transform(remembered(parse)));
}

/** A big configuration says the same few durations and modes thousands of times. */
function remembered<T>(parse: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (source) => {
    const before = known.get(source);
    if (before !== undefined) return before;
    const value = parse(source);
    if (known.size < 100) known.set(source, value);
    return value;
  };
}

export const text = () => z.string('a string').check(z.minLength(1, 'a string that is not empty'));
export const flag = () => z.boolean('true or false');
export const count = (least: number) =>
  z.int('a whole number').check(z.gte(least, `a whole number of at least ${least}`));
export const textList = () => z.array(text(), 'a list of strings');
export const choice = <const T extends readonly string[]>(values: T) => z.enum(values);

export const duration = () =>
  formed(
    'a duration such as 250ms, 30s, 5m or 1h30m',
    /^(?:0|(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+)$/,
    parseDuration,
  );

/** `1s..30s` */
export const durationRange = () =>
  formed(
    'a range of durations such as 1s..30s',
    /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+\.\.(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/,
    (range) => {
      const [from = '0', to = '0'] = range.split('..');
      return { minMs: parseDuration(from), maxMs: parseDuration(to) };
    },
  );

/** `1s..10s`; `2s` is `2s..8s`, as consul-template has it. */
export const quietTime = () =>
  formed(
    'a duration or a range of durations such as 1s..10s',
    /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+(?:\.\.(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+)?$/,
    (range) => {
      const [from = '0s', to] = range.split('..');
      const minMs = parseDuration(from);
      return { minMs, maxMs: to === undefined ? 4 * minMs : parseDuration(to) };
    },
  );

export const octalExpected = 'an octal string such as "0640"';
export const fileMode = () => formed(octalExpected, /^0?[0-7]{3}$/, (octal) => Number.parseInt(octal, 8));

/** A mode, or `keep`: that of the file that is there. */
export const fileModeOrKeep = () =>
  formed(octalExpected, /^(?:0?[0-7]{3}|keep)$/, (text) =>
    text === 'keep' ? ('keep' as const) : Number.parseInt(text, 8),
  );

const sizeUnits: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Bytes: `64KiB`, `16MiB`. */
export const byteSize = () =>
  formed('a size such as 64KiB or 16MiB', /^\d+(?:B|KiB|MiB|GiB)?$/, (size) => {
    const [, amount = '0', unit = ''] = /^(\d+)(.*)$/.exec(size) ?? [];
    return Number(amount) * (sizeUnits[unit] ?? 1);
  });

/** The name of a local thing: it appears in URLs, logs and file names. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const nameExpected = 'a name of letters, digits, dots, dashes and underscores';
export const name = () => z.string(nameExpected).check(z.regex(namePattern, nameExpected));

const signalPattern = /^(?:SIG)?[A-Z][A-Z0-9]*$/;
export const signalExpected = 'the name of a signal such as TERM, HUP or USR1';

/** `HUP` or `SIGHUP`; undefined when this system has no such signal. */
export function parseSignal(signal: string): NodeJS.Signals | undefined {
  const full = (signal.startsWith('SIG') ? signal : `SIG${signal}`) as NodeJS.Signals;
  return full in constants.signals ? full : undefined;
}

export const signalName = () =>
  z.pipe(
    z.string(signalExpected).check(
      z.regex(signalPattern, signalExpected),
      z.refine((signal) => parseSignal(signal) !== undefined, signalExpected),
    ),
    z.transform((signal) => parseSignal(signal) ?? 'SIGTERM'),
  );

/** A program and its arguments, never a line for a shell. */
export const commandLine = () =>
  z
    .array(text(), 'a list: the program and its arguments')
    .check(z.minLength(1, 'a list: the program and its arguments'));

/** A command that may be bounded in time. */
export const timedCommand = (timeout: string) =>
  section({
    command: doc(
      commandLine(),
      'The program and its arguments, without a shell; `{staged}` and `{destination}` stand for the paths of the file.',
    ),
    timeout: doc(
      z.prefault(duration(), timeout),
      'Then the whole process group gets TERM, and 2 s later KILL.',
    ),
  });
