// A file that is itself a template that nobody filled in: what kind it is, by what stands where it cannot be read.
import { shorten } from '../../../base/text/shorten.ts';
import type { Position } from '../../problems.ts';
import type { HclItem, HclNode, HclObject } from './node.ts';

const longestShown = 40;
const kinds: readonly (readonly [RegExp, string])[] = [
  [/\{%-?.*?-?%\}/, 'of Jinja, as Ansible fills in'],
  [/\{\{-?\s*(?:\.Values|\.Release|include|tpl|toYaml)\b.*?\}\}/, 'of Helm'],
  [/\{\{.*?\}\}/, 'as Ansible, Helm or Go fill in'],
  [/<%[=-]?.*?%>/, 'of ERB, as Chef and Puppet fill in'],
  [/\$\{[^}]*\}/, 'as Terraform or a shell fill in'],
  [/%\{[^}]*\}/, 'of Terraform'],
  [/__[A-Z][A-Z0-9_]*__/, 'as a script fills in'],
  [/@[A-Z][A-Z0-9_]*@/, 'as a script fills in'],
];
const notHcl: readonly (readonly [RegExp, string])[] = [
  [/^\s*---\s*$/m, 'is YAML'],
  [/^\s*[A-Za-z_-]+:\s/m, 'looks like YAML'],
  [/^\s*<\?xml|^\s*<!DOCTYPE|^\s*<[a-z]+>/i, 'looks like XML or HTML'],
  [/^\s*#!/, 'is a script'],
  [/^\s*\[[A-Za-z_. -]+\]\s*$/m, 'looks like TOML or an INI file'],
];

/** Undefined where nothing tells why the file cannot be read. `position` is where that stopped. */
export function describePlaceholder(text: string, position: Position): string | undefined {
  const line = [...(text.split('\n')[position.line - 1] ?? '')]
    .slice(Math.max(0, position.column - 2))
    .join('');
  for (const [pattern, kind] of kinds) {
    const match = pattern.exec(line);
    // Where it stopped, or one brace before: what stands in a string further on is no reason.
    if (match !== null && match.index <= 1) {
      const [found] = match;
      return `${shorten(found, longestShown)} stands where a value is expected: this file is a template ${kind}; give the one that was filled in`;
    }
  }
  const other = position.line <= 3 ? notHcl.find(([pattern]) => pattern.test(text)) : undefined;
  return other && `expected HCL or JSON: this file ${other[1]}`;
}

/** Where such text is what is meant: templates, commands, names with an action in them. */
const mayHoldActions =
  /^(?:contents|command|format|custom|left|right|left_delimiter|right_delimiter|template)$/;
const placeholder =
  /\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|\$\{[^}]*\}|\b__[A-Z][A-Z0-9_]*__\b|@[A-Z][A-Z0-9_]*@|^(?:\$[A-Z_][A-Z0-9_]*|%[A-Z][A-Z0-9_]*%)$|^<no value>/;

/** Strings of a readable file that look like places of a template which nobody filled in. */
export function* placeholdersIn(
  root: HclObject,
): Generator<{ position: Position; name: string; found: string }> {
  for (const item of root.items) yield* placeholdersOf(item, '');
}

function* placeholdersOf({ keys, value }: HclItem, before: string): ReturnType<typeof placeholdersIn> {
  const name = [before, ...keys.map((key) => key.name)].filter((part) => part !== '').join('.');
  const isBlock = value.kind === 'object';
  if (!isBlock && mayHoldActions.test(keys.at(-1)?.name ?? '')) return;
  yield* placeholdersAt(value, name);
}

function* placeholdersAt(node: HclNode, name: string): ReturnType<typeof placeholdersIn> {
  if (node.kind === 'object') for (const item of node.items) yield* placeholdersOf(item, name);
  else if (node.kind === 'list') for (const item of node.items) yield* placeholdersAt(item, name);
  else if (node.type === 'string') {
    const found = placeholder.exec(node.text)?.[0];
    if (found !== undefined) yield { position: node.position, name, found: shorten(found, longestShown) };
  }
}
