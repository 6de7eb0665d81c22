// Turns what zod found into the house's messages: `expected …, got …`, the nearest known word, the remedy. Values from
// places where a secret may stand by mistake are not repeated.
import type * as z from 'zod/mini';
import { hintAt, nearest } from '../../base/text/nearest.ts';
import type { Path, Place, Problems } from '../problems.ts';
import { octalExpected } from './fields.ts';

type Issue = z.core.$ZodIssue;

/** Adds the issues of `value`, which stands at `place`. */
export function addIssues(problems: Problems, place: Place, value: unknown, issues: readonly Issue[]): void {
  for (const issue of issues) addIssue(problems, place, value, issue);
}

function addIssue(problems: Problems, place: Place, value: unknown, issue: Issue): void {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const here = place.at(...path);
  const got = valueAt(value, path);
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(',');
    for (const key of issue.keys) problems.add(here.at(key), describeUnknownKey(key, known), 'key');
    return;
  }
  if (issue.code === 'invalid_union') {
    const branch = fittingBranch(issue.errors);
    if (branch !== undefined) {
      addIssues(problems, here, got, branch);
      return;
    }
  }
  if (issue.code === 'invalid_key') {
    for (const inner of issue.issues) problems.add(here, `expected ${inner.message} as the key`, 'key');
    return;
  }
  problems.add(here, describeValue(issue, got, here.path), got === undefined ? 'key' : 'value');
}

/** The one branch of a union whose kind of value came; undefined when none did. */
function fittingBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter(
    (issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

const secretKeys = /^(?:token|secret_id|password|secret|api_?key|private_?key)$/;

export function describeUnknownKey(key: string, known: readonly string[]): string {
  if (secretKeys.test(key)) {
    const file = known.find((other) => other === `${key}_file` || (key === 'token' && other === 'path'));
    return `secrets do not belong in this file; ${file === undefined ? 'remove it' : `put it in a file and name that with ${file}`}`;
  }
  return `unknown key; ${hintAt(key, known)}`;
}

function describeValue(issue: Issue, got: unknown, path: Path): string {
  const choices =
    issue.code === 'invalid_value'
      ? issue.values.map(String)
      : issue.code === 'invalid_union'
        ? ((issue as { options?: readonly unknown[] }).options ?? []).flatMap((one) =>
            one === undefined ? [] : String(one),
          )
        : [];
  const expected = choices.length > 0 ? oneOf(choices) : issue.message;
  if (got === undefined) return `missing, expected ${expected}`;
  const guess = typeof got === 'string' ? nearest(got, choices) : undefined;
  const remedy = guess === undefined ? remedyFor(issue, got) : `; did you mean ${guess}?`;
  return `expected ${expected}, got ${showValue(got, path)}${remedy}`;
}

function oneOf(choices: readonly string[]): string {
  return choices.length === 1 ? String(choices[0]) : `one of ${choices.join(', ')}`;
}

function remedyFor(issue: Issue, got: unknown): string {
  if (issue.message === octalExpected && typeof got === 'number') return remedyForMode(got);
  if (issue.message.startsWith('a list: the program') && typeof got === 'string') {
    return '; no shell takes it apart: write [program, argument, …], or [sh, -c, "…"] where you need a shell';
  }
  if (issue.message.startsWith('a duration') && typeof got === 'number') return `; say the unit: ${got}s`;
  if (issue.message.startsWith('a string') && (typeof got === 'number' || typeof got === 'boolean'))
    return '; quote it';
  return '';
}

const commonModes = new Set([
  '400',
  '440',
  '444',
  '600',
  '640',
  '644',
  '660',
  '664',
  '700',
  '750',
  '755',
  '770',
]);

/** In YAML 1.2 an unquoted 0640 is the decimal number 640, and 0o640 is 416. */
function remedyForMode(got: number): string {
  const digits = String(got);
  const octal = got.toString(8).padStart(3, '0');
  const meant =
    /^[0-7]{3}$/.test(digits) && (commonModes.has(digits) || !commonModes.has(octal)) ? digits : octal;
  return `; unquoted it is a decimal number: write "0${meant}"`;
}

const mayBeSecret = new Set(['auth', 'env', 'parameters', 'contents']);

function showValue(value: unknown, path: Path): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return `the ${typeof value} ${String(value)}`;
  if (value === '') return 'an empty string';
  if (path.some((step) => mayBeSecret.has(String(step))) || value.length > 60) return 'a string';
  return JSON.stringify(value);
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string | number, unknown>)[step];
  }
  return current;
}
