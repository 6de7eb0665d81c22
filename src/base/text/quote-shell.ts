// A text as one word of a POSIX shell.

/** Everything but `'` is literal between two of them (XCU 2.2.2). */
export function quoteShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Bare where no shell makes anything of it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoteShell(text);
}
