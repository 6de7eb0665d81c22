// How a template function is declared; the contract between exec and functions/*.ts.
//
// A theme is a file functions/<theme>.ts that exports a `FunctionTable`:
//
//   export const strings: FunctionTable = {
//     toUpper: defineFunction(['string'], 'string', (_context, text) => …),
//     join: defineFunction(['string', '[]string'], 'string', (_context, separator, list) => …),
//     loop: defineFunction(['...any'], '<-chan int64', (_context, ...bounds) => …),
//   };
//
// and has a line in functions.ts with its names (a test holds both equal); it is loaded when a template uses one.
//
// Parameters are Go types as Go writes them (`any` is interface {}), the last one may be variadic: `...string`. Exec
// checks the number of arguments, converts constants and fails with Go's messages before `call` is reached; `call` gets
//   string → byte string · bool → boolean · float64 → number · int, int64, uint64… → bigint · []T → SliceValue ·
//   map[K]V → MapValue · any → Value, opened (null for nil) · reflect.Value → Value as it is, maybe an InterfaceValue
// and returns the same for its result type; []string may be a plain array. A result of `any` is a Value.
// Strings are byte strings on both sides: bytes.ts converts.
//
// Failing: throw callError`parseInt: strconv.ParseInt: parsing ${quoted(text)}: invalid syntax`. Exec puts `error calling
// NAME: ` and the place in front. What is interpolated is taken for sensitive: it is shown when it stands in the
// template's own text or when the execution has read no secret, else `[redacted]`. Wrap what never is sensitive
// (type names, indexes, limits) in `plain(…)`. Anything else that is thrown counts as sensitive as a whole.
//
// Cost: exec counts a step for each call and for each 64 bytes and each item that comes back, and refuses results
// longer than limits.stringBytes. A function whose work is not bounded by its arguments' size (repeat, loops,
// recursion over values) calls `context.spend(n)` as it goes, which throws when the budget is gone; one that may build
// something huge calls `context.claim(bytes)` before it does. Recursion over values is bounded by limits.valueDepth.

import { quoteString } from '../text/quote.ts';
import { intType, isInteger, type Type, typeOfName } from '../value/type.ts';
import {
  integer,
  integerOf,
  type MapValue,
  type Opened,
  SliceValue as Slice,
  type SliceValue,
  type Value,
} from '../value/value.ts';
import type { Dependency, LookupAnswer } from './lookup.ts';

/** What the caller of `execute` lends to functions. What is absent makes the function that wants it fail clearly. */
export interface Host {
  /** An environment variable as text, undefined when it is not set. */
  env(name: string): string | undefined;
  now(): Date;
  /** For `file`: the bytes of a file inside the sandbox; throws an error whose message may be shown. */
  readFile?(path: string): Buffer;
  /** For `writeToFile`. Called only when no secret is missing. */
  writeFile?(request: WriteFileRequest): void;
  /** For `plugin`: the standard output; absent unless the configuration allows plugins. */
  runPlugin?(command: string, args: readonly string[]): string;
  /** For `sockaddr`: as os.networkInterfaces. */
  networkInterfaces?(): Readonly<Record<string, readonly NetworkAddress[] | undefined>>;
  /** For `sockaddr`: the name of the interface that the default route goes through. */
  defaultRouteInterface?(): string | undefined;
}

export interface WriteFileRequest {
  readonly path: string;
  readonly content: Buffer;
  /** Names or ids; empty: the agent's own. */
  readonly owner: string;
  readonly group: string;
  /** As the template gave it, such as `0644`. */
  readonly mode: string;
  readonly isAppended: boolean;
}

interface NetworkAddress {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly netmask: string;
  readonly mac: string;
  readonly internal: boolean;
  readonly cidr: string | null;
}

/** Bounds of one execution; each has a default in limits.ts. */
export interface Limits {
  /** Units of work: nodes, calls, items, each 64 bytes made, each 256 bytes given to a function. */
  readonly steps: number;
  /** Of this thread, for the whole execution: what the steps do not foresee. */
  readonly processorMs: number;
  /** Bytes of the rendered file. */
  readonly outputBytes: number;
  /** Bytes of one string. */
  readonly stringBytes: number;
  /** Templates within templates. */
  readonly templateDepth: number;
  /** Values within values, when they are printed or converted. */
  readonly valueDepth: number;
  /** Secrets and lists asked for. */
  readonly dependencies: number;
}

/** What a function may use while it runs. */
export interface CallContext {
  readonly host: Host;
  readonly limits: Limits;
  /** The map behind `scratch`, one for each execution. */
  readonly scratch: MapValue;
  /** Asks for a dependency and remembers it as used. Equal ones are asked for once in an execution. */
  lookup(dependency: Dependency): LookupAnswer;
  /** Reports a dependency, whose answer was `pending` or `absent`, as missing: the result will not be written. */
  reportMissing(dependency: Dependency, answer: LookupAnswer): void;
  /** Whether something is missing already: the execution goes on only to find out what else is. No side effects then. */
  isIncomplete(): boolean;
  /** Executes the associated template with this name and gives what it printed. Fails as Go's ExecuteTemplate. */
  executeTemplate(name: string, dot: Value): string;
  /** Takes steps from the budget; throws when it is used up. */
  spend(steps: number): void;
  /** Throws when the time is over. For what may take long for a single step; `spend` looks every thousand of them. */
  lookAtTime(): void;
  /** Throws when a string of this many bytes would be longer than allowed; takes its share of the budget. */
  claim(bytes: number): void;
  /** Takes the share of a map or list that is copied or sorted as a whole before anything is done with its items. */
  goThrough(items: number): void;
  /** Takes the share of a text that is worked on; of a function's own arguments exec has taken it. */
  workOn(bytes: number): void;
}

/** A function as exec calls it. For a method, `call` gets the receiver before the arguments. */
export interface TemplateFunction {
  readonly parameters: readonly Type[];
  /** Whether the last parameter takes any number of arguments; its type is that of each. */
  readonly isVariadic: boolean;
  readonly result: Type;
  call(context: CallContext, args: readonly Value[]): Value;
}

export type FunctionTable = Readonly<Record<string, TemplateFunction>>;

type IntegerName = `${'u' | ''}int${'' | '8' | '16' | '32' | '64'}`;
type Argument<T extends string> = T extends 'string'
  ? string
  : T extends 'bool'
    ? boolean
    : T extends 'float64'
      ? number
      : T extends IntegerName
        ? bigint
        : T extends `[]${string}`
          ? SliceValue
          : T extends `map[${string}`
            ? MapValue
            : T extends 'reflect.Value'
              ? Value
              : Opened;
type Result<T extends string> = T extends '[]string' ? SliceValue | readonly string[] : Argument<T>;
type Arguments<P extends readonly string[]> = P extends readonly [...infer Fixed, `...${infer Variadic}`]
  ? [...FixedArguments<Fixed>, ...Argument<Variadic>[]]
  : FixedArguments<P>;
type FixedArguments<P extends readonly unknown[]> = {
  -readonly [Index in keyof P]: P[Index] extends string ? Argument<P[Index]> : never;
};

/** Declares a function; see the top of this file. */
export function defineFunction<const P extends readonly string[], const R extends string>(
  parameters: P,
  result: R,
  call: (context: CallContext, ...args: Arguments<P>) => Result<R>,
): TemplateFunction {
  const signature = readSignature(parameters, result);
  return {
    ...signature,
    call: (context, args) =>
      toResult(signature.result, call(context, ...(toArguments(signature, args) as Arguments<P>))),
  };
}

/** Declares a method of a named type; `Self` is the class of its receiver. */
export function defineMethod<Self extends Value, const P extends readonly string[], const R extends string>(
  parameters: P,
  result: R,
  call: (context: CallContext, self: Self, ...args: Arguments<P>) => Result<R>,
): TemplateFunction {
  const signature = readSignature(parameters, result);
  return {
    ...signature,
    call: (context, [self, ...args]) =>
      toResult(
        signature.result,
        call(context, self as Self, ...(toArguments(signature, args) as Arguments<P>)),
      ),
  };
}

function readSignature(parameters: readonly string[], result: string): Omit<TemplateFunction, 'call'> {
  const isVariadic = parameters.at(-1)?.startsWith('...') ?? false;
  const types = parameters.map((name) => typeOfName(name.startsWith('...') ? name.slice(3) : name));
  return { parameters: types, isVariadic, result: typeOfName(result) };
}

/** Integers come to the function as bigint, whatever their Go type. */
function toArguments(
  { parameters }: Omit<TemplateFunction, 'call'>,
  args: readonly Value[],
): readonly unknown[] {
  if (!parameters.some(isBoxedInteger)) return args;
  return args.map((arg, index) => {
    const type = parameters[Math.min(index, parameters.length - 1)];
    return type !== undefined && isBoxedInteger(type) ? integerOf(arg) : arg;
  });
}

function isBoxedInteger(type: Type): boolean {
  return type !== intType && isInteger(type.kind);
}

function toResult(type: Type, result: Value | readonly string[]): Value {
  if (Array.isArray(result)) return new Slice(type, result as readonly string[]);
  const value = result as Value;
  return typeof value === 'bigint' && isBoxedInteger(type) ? integer(type, value) : value;
}

/** Text of an error that is shown as it is, next to what may have to be redacted. */
interface PlainText {
  readonly plain: string;
}

/** A value in an error's text together with the form in which it is shown. */
interface ShownValue {
  readonly raw: string;
  readonly shown: string;
}

export type ErrorPart = PlainText | ShownValue;

/** What a function throws to fail: Go's message, in parts that exec can redact. Byte strings. */
export class CallError extends Error {
  readonly parts: readonly ErrorPart[];

  constructor(parts: readonly ErrorPart[]) {
    super('a template function failed');
    this.name = 'CallError';
    this.parts = parts;
  }
}

/** An error from a template literal; interpolated strings are sensitive, `plain(…)` is not. */
export function callError(
  texts: TemplateStringsArray,
  ...values: readonly (string | ErrorPart | CallError)[]
): CallError {
  const parts: ErrorPart[] = [];
  texts.forEach((text, index) => {
    if (text !== '') parts.push({ plain: text });
    const value = values[index];
    if (typeof value === 'string') parts.push({ raw: value, shown: value });
    else if (value instanceof CallError) parts.push(...value.parts);
    else if (value !== undefined) parts.push(value);
  });
  return new CallError(parts);
}

/** A sensitive value in an error, shown as a Go string constant. */
export function quoted(text: string): ErrorPart {
  return { raw: text, shown: quoteString(text) };
}

/** Marks text of an error as not sensitive. */
export function plain(text: string | number | bigint): ErrorPart {
  return { plain: String(text) };
}

/** A sensitive value that is shown in another form than its own, such as quoted. */
export function shownAs(raw: string, shown: string): ErrorPart {
  return { raw, shown };
}
