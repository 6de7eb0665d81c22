// The value of a quoted string: escapes as Go has them, and `${…}` as it stands.

const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};
const lengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** `body` is what stands between the quotes; `fail` throws, with the offset in it. */
export function unquote(body: string, fail: (offset: number, message: string) => never): string {
  if (!body.includes('\\')) return body;
  const parts: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const special = /\\|\$\{/g;
    special.lastIndex = at;
    const found = special.exec(body)?.index ?? body.length;
    push(body.slice(at, found));
    at = found;
    if (at >= body.length) break;
    if (body[at] === '$') {
      const end = interpolationEnd(body, at);
      push(body.slice(at, end));
      at = end;
    } else at += readEscape(at);
  }
  return Buffer.concat(parts).toString('utf8');

  function push(text: string): void {
    parts.push(Buffer.from(text, 'utf8'));
  }

  /** How many characters it is long. */
  function readEscape(offset: number): number {
    const letter = body[offset + 1] ?? '';
    const plain = simple[letter];
    if (plain !== undefined) {
      push(plain);
      return 2;
    }
    const octal = /^[0-7]{3}/.exec(body.slice(offset + 1))?.[0];
    if (octal !== undefined && Number.parseInt(octal, 8) < 256) {
      parts.push(Buffer.of(Number.parseInt(octal, 8)));
      return 4;
    }
    const length = lengths[letter] ?? 0;
    const digits = body.slice(offset + 2, offset + 2 + length);
    if (length === 0 || !new RegExp(`^[0-9a-fA-F]{${length}}$`).test(digits)) {
      return fail(offset, `\\${letter} is no escape here; write \\\\ for a backslash`);
    }
    const code = Number.parseInt(digits, 16);
    if (code > 0x10ffff) return fail(offset, `\\${letter}${digits} is no character`);
    parts.push(letter === 'x' ? Buffer.of(code) : Buffer.from(String.fromCodePoint(code), 'utf8'));
    return 2 + length;
  }
}

function interpolationEnd(body: string, start: number): number {
  let braces = 1;
  let at = start + 2;
  for (; at < body.length && braces > 0; at++) {
    if (body[at] === '{') braces++;
    else if (body[at] === '}') braces--;
  }
  return at;
}
