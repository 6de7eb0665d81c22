// A line `name = value` of the files in which tools of clouds keep their profiles. Others may own such a file: no pattern searches
// it, for one with two blanks to share out takes its time with a line of them.

/** Undefined: a comment, a heading, an empty line. */
export function fieldOf(line: string): readonly [name: string, value: string] | undefined {
  const mark = line.indexOf('=');
  const name = line.slice(0, Math.max(mark, 0)).trim();
  if (name === '' || name.includes('#') || name.includes(';')) return undefined;
  return [name, line.slice(mark + 1).trim()];
}
