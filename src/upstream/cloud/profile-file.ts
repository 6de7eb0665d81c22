// The files in which tools of clouds keep profiles of their user: where they are, and a line `name = value` of one. Others may own
// such a file: no pattern searches it, for one with two blanks to share out takes its time with a line of them.

import { homedir } from 'node:os';
import type { Environment } from '../../base/surroundings.ts';

/** An empty `HOME` is none, as those tools have it. */
export function homeFolder(env: Environment): string {
  return env['HOME'] || homedir();
}

/** Undefined: a comment, a heading, an empty line. */
export function fieldOf(line: string): readonly [name: string, value: string] | undefined {
  const mark = line.indexOf('=');
  const name = line.slice(0, Math.max(mark, 0)).trim();
  if (name === '' || name.includes('#') || name.includes(';')) return undefined;
  return [name, line.slice(mark + 1).trim()];
}
