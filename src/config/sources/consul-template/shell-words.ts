// How consul-template starts a command: one string with blanks is a line for a shell, anything else is words.

/** Undefined when there is none. */
export function shellWords(command: readonly string[]): readonly string[] | undefined {
  const [first = '', ...rest] = command;
  if (first.trim() === '') return undefined;
  return rest.length === 0 && first.trim().split(/\s+/).length > 1 ? ['sh', '-c', first] : command;
}
