// What the lines of a heredoc mean: `<<X` keeps them as they are, `<<-X` takes off the indentation of its terminator.

/** `source` is the whole of it, from `<<` to the line end after the terminator. */
export function heredocValue(source: string): string {
  const bodyStart = source.indexOf('\n') + 1;
  const isIndented = source[2] === '-';
  const anchorLength = bodyStart - 3 - (isIndented ? 1 : 0);
  // The blanks before the terminator belong to the text: `<<X` hands them on as its last line.
  const body = source.slice(bodyStart, source.length - anchorLength - 1);
  if (!isIndented) return body;
  const lines = body.split('\n');
  const indentation = lines.at(-1) ?? '';
  if (!lines.every((line) => line.startsWith(indentation))) return body.slice(0, -1).replace(/[ \t]+$/, '');
  return [...lines.slice(0, -1).map((line) => line.slice(indentation.length)), ''].join('\n');
}
