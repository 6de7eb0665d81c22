// A template: parsed once, executed many times. The way in and out of the engine: text is UTF-16 outside, byte strings
// inside. Does no I/O: the lookup and the host answer.
import './value/json-number.ts';
import { createCallContext, type ExecutionContext, type MissingDependency } from './exec/call-context.ts';
import { execute, type Output } from './exec/exec.ts';
import { callError, type Host, type Limits, plain, quoted } from './exec/function-table.ts';
import { defaultLimits } from './exec/limits.ts';
import type { Dependency, Lookup } from './exec/lookup.ts';
import { newScope, type Program, type State, type TemplateWarning } from './exec/state.ts';
import { functionNames, isFunctionName, loadFunctions } from './functions.ts';
import { parse } from './parse/parse.ts';
import { placeOf, TemplateError } from './template-error.ts';
import { decodeText, encodeText, toBuffer } from './text/bytes.ts';
import { quoteString } from './text/quote.ts';
import type { Value } from './value/value.ts';

export interface TemplateSource {
  /** The template's file name: errors begin with it. */
  readonly name: string;
  /** A Buffer keeps bytes that are no UTF-8. */
  readonly text: string | Buffer;
  /** Default, also for the empty string: `{{` and `}}`. */
  readonly leftDelimiter?: string;
  readonly rightDelimiter?: string;
}

export interface ExecuteOptions {
  readonly lookup: Lookup;
  readonly host: Host;
  /** A field that a map does not have is an error, not `<no value>`. Default: false. */
  readonly isMissingKeyError?: boolean;
  /** Default: limits.ts. */
  readonly limits?: Partial<Limits>;
}

export interface Execution {
  /** What was rendered; to be used only when nothing is missing. */
  readonly output: Buffer;
  /** All that was asked for, in order of first use. */
  readonly used: readonly Dependency[];
  /** What of it has no value, in order of first use: not empty means try again later. */
  readonly missing: readonly MissingDependency[];
  /** With something missing: the first failure, most likely because of that. The execution went on after it. */
  readonly failure: TemplateError | null;
  /** Likely mistakes that Go lets pass. */
  readonly warnings: readonly TemplateWarning[];
}

export interface Template {
  readonly name: string;
  /** Names of the functions that are called anywhere in it. */
  readonly usedFunctions: ReadonlySet<string>;
  /** Where a function is called for the first time: line (from 1) and column (bytes from 0). */
  placeOfUse(name: string): { readonly line: number; readonly column: number };
  /** What `{{ template }}` names and nothing defines: an error once an execution comes to it. */
  readonly undefinedTemplates: readonly {
    readonly name: string;
    readonly line: number;
    readonly column: number;
  }[];
  /** Throws a TemplateError `template_failed`, unless something is missing: then the failure is part of the result. */
  execute(options: ExecuteOptions): Execution;
}

/** executeTemplate within executeTemplate: those are calls on the host's stack. */
const deepestExecuteTemplate = 100;

/** Parses, and loads the functions that are used. Throws a TemplateError `template_invalid`. */
export async function parseTemplate(source: TemplateSource): Promise<Template> {
  const name = encodeText(source.name);
  const text = typeof source.text === 'string' ? encodeText(source.text) : source.text.toString('latin1');
  const { lists, usedFunctions, usedTemplates } = inBounds(name, text, 'template_invalid', () =>
    parse({
      name,
      text,
      leftDelimiter: encodeText(source.leftDelimiter || '{{'),
      rightDelimiter: encodeText(source.rightDelimiter || '}}'),
      isFunction: isFunctionName,
      functionNames,
    }),
  );
  const names = new Set(usedFunctions.keys());
  const functions = await loadFunctions(names);
  const program: Program = { name, text, lists, functions };
  return {
    name: source.name,
    usedFunctions: names,
    placeOfUse: (used) => placeOf(text, usedFunctions.get(used) ?? 0),
    undefinedTemplates: [...usedTemplates]
      .filter(([used]) => !lists.has(used))
      .map(([used, pos]) => ({ name: decodeText(used), ...placeOf(text, pos) })),
    execute: (options) => inBounds(name, text, 'template_failed', () => executeProgram(program, options)),
  };
}

function executeProgram(program: Program, options: ExecuteOptions): Execution {
  const warnings: State['warnings'] = new Map();
  const output: Output = { text: '', failure: null };
  let depth = 0;
  const run = (templateName: string, dot: Value, into: Output): void => {
    const list = program.lists.get(templateName);
    if (list === undefined) {
      throw callError`template: no template ${quoted(templateName)} associated with template ${plain(quoteString(program.name))}`;
    }
    if (depth > deepestExecuteTemplate) throw callError`nested deeper than ${plain(deepestExecuteTemplate)}`;
    const isMissingKeyError = options.isMissingKeyError ?? false;
    const node = { kind: 'dot', pos: list.pos } as const;
    depth++;
    try {
      execute(
        {
          program,
          context,
          isMissingKeyError,
          warnings,
          absent: null,
          templateName,
          node,
          scope: newScope(dot),
        },
        list,
        dot,
        into,
      );
    } finally {
      depth--;
    }
  };
  const context: ExecutionContext = createCallContext({
    text: program.text,
    lookup: options.lookup,
    host: options.host,
    limits: { ...defaultLimits, ...options.limits },
    executeTemplate(name, dot) {
      const inner: Output = { text: '', failure: null };
      run(name, dot, inner);
      output.failure ??= inner.failure;
      return inner.text;
    },
  });
  run(program.name, null, output);
  return {
    output: toBuffer(output.text),
    used: context.used,
    missing: context.missing,
    failure: output.failure,
    warnings: [...warnings.values()],
  };
}

/** What the limits do not foresee ends at the host's stack: that too is an error of the template. */
function inBounds<T>(
  name: string,
  text: string,
  code: 'template_invalid' | 'template_failed',
  run: () => T,
): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const templateName = decodeText(name);
    const message = `template: ${templateName}:1: expressions or values are nested too deeply`;
    throw new TemplateError(code, message, { templateName, ...placeOf(text, 0) });
  }
}
