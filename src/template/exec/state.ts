// The state of an execution: where it is, its variables, and how it fails. Used by exec.ts and evaluate.ts.

import { type ListNode, type Node, nodeText } from '../parse/node.ts';
import { placeOf, TemplateError } from '../template-error.ts';
import { decodeText, encodeText } from '../text/bytes.ts';
import { quoteString } from '../text/quote.ts';
import type { Value } from '../value/value.ts';
import type { ExecutionContext } from './call-context.ts';
import { CallError, callError, type ErrorPart, plain, type TemplateFunction } from './function-table.ts';
import type { MissingField } from './hint.ts';
import { redact } from './redact.ts';

/** A parsed template, ready to be executed. Byte strings. */
export interface Program {
  readonly name: string;
  readonly text: string;
  readonly lists: ReadonlyMap<string, ListNode>;
  readonly functions: ReadonlyMap<string, TemplateFunction>;
}

const mostWarnings = 100;

/** Something that is no error but most likely a mistake, with its place. */
export interface TemplateWarning {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface State {
  readonly program: Program;
  readonly context: ExecutionContext;
  /** missingkey=error. */
  readonly isMissingKeyError: boolean;
  readonly warnings: Map<Node, TemplateWarning>;
  /** What the action being executed did not find, and where, as long as nothing was said about it. */
  absent: { readonly node: Node; readonly field: MissingField } | null;
  /** The template being executed. */
  templateName: string;
  /** What the next error is about. */
  node: Node;
  scope: Scope;
}

/** Variables, the newest last. */
export interface Scope {
  readonly names: string[];
  readonly values: Value[];
}

/** The variables that a template starts with. */
export function newScope(dot: Value): Scope {
  return { names: ['$'], values: [dot] };
}

export function pushVariable(s: State, name: string, value: Value): void {
  s.scope.names.push(name);
  s.scope.values.push(value);
}

/** Forgets the variables declared after there were `count`. */
export function popVariables(s: State, count: number): void {
  s.scope.names.length = count;
  s.scope.values.length = count;
}

export function setVariable(s: State, name: string, value: Value): void {
  s.scope.values[findVariable(s, name, `{{ ${name} := … }} declares a variable`)] = value;
}

export function variable(s: State, name: string): Value {
  return s.scope.values[findVariable(s, name)] ?? null;
}

function findVariable(s: State, name: string, remedy?: string): number {
  const { names } = s.scope;
  const at = names.lastIndexOf(name);
  if (at < 0) return fail(s, `undefined variable: ${name}`, remedy);
  // A long way back is work: a template may declare any number of variables.
  spend(s, (names.length - at) >> 4);
  return at;
}

/** Takes steps from the budget; nothing goes on once it is used up. */
export function spend(s: State, steps: number): void {
  try {
    s.context.spend(steps);
  } catch (error) {
    failAfter(s, s.node, '', error);
  }
}

/** Fails at the current node with a message that holds no value. */
export function fail(s: State, message: string, remedy?: string): never {
  return failWith(s, [plain(message)], remedy);
}

/** Fails at the current node; sensitive parts are redacted. Of an execution that goes on, only the first is told. */
export function failWith(s: State, parts: readonly ErrorPart[], remedy?: string): never {
  const { program, node, templateName } = s;
  if (s.context.hasFailed && !s.context.isExhausted()) throw laterFailure;
  const { line, column } = placeOf(program.text, node.pos);
  const message = redact(parts, program.text, s.context.secrets);
  const place = `${program.name}:${line}:${column}: executing ${quoteString(templateName)} at <${nodeText(node)}>`;
  throw new TemplateError('template_failed', decodeText(`template: ${place}: ${message}`), {
    templateName: decodeText(program.name),
    line,
    column,
    remedy: remedy ?? missingRemedy(s),
  });
}

/** Nobody sees it: a text of many mistakes would take long to search for the place of each. */
const laterFailure = new TemplateError('template_failed', 'a later failure', {
  templateName: '',
  line: 0,
  column: 0,
});

/** With something missing, its absence is the likely cause. */
function missingRemedy(s: State): string | undefined {
  const [first] = s.context.missing;
  if (first === undefined) return undefined;
  const reason = first.reason === undefined ? '' : `: ${first.reason}`;
  return `${first.path} is ${first.status === 'absent' ? 'not there' : 'not there yet'}${reason}`;
}

/** Runs code that may throw a CallError; that becomes an error at `node`, after `prefix`. */
export function guarded<T>(s: State, node: Node, prefix: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    return failAfter(s, node, prefix, error);
  }
}

/** Fails at `node` with what was thrown, after `prefix`. */
export function failAfter(s: State, node: Node, prefix: string, error: unknown): never {
  const parts = errorParts(error);
  s.node = node;
  return failWith(s, [plain(prefix), ...parts], error instanceof TemplateError ? error.remedy : undefined);
}

/** An error that is none of ours may quote anything: as a whole it is sensitive. */
function errorParts(error: unknown): readonly ErrorPart[] {
  if (error instanceof CallError) return error.parts;
  if (error instanceof TemplateError) return [plain(encodeText(error.message))];
  if (error instanceof RangeError && error.message.includes('call stack')) throw error;
  return callError`${encodeText(error instanceof Error ? error.message : String(error))}`.parts;
}

/** Remembers a likely mistake, once for each place. */
export function warn(s: State, node: Node, message: () => string): void {
  if (s.warnings.has(node) || s.warnings.size >= mostWarnings) return;
  s.warnings.set(node, { ...placeOf(s.program.text, node.pos), message: decodeText(message()) });
}
