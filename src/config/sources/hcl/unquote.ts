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
    const end = body[found] === '$' ? interpolationEnd(body, found) : found;
    parts.push(Buffer.from(body.slice(at, end), 'utf8'));
    at = end;
    if (end > found || at >= body.length) continue;
    const read = readEscape(body, at, fail);
    parts.push(read.bytes);
    at += read.length;
  }
  return Buffer.concat(parts).toString('utf8');
}

/** `length`: how many characters it is long. */
function readEscape(
  body: string,
  offset: number,
  fail: (offset: number, message: string) => never,
): { bytes: Buffer; length: number } {
  const letter = body[offset + 1] ?? '';
  const plain = simple[letter];
  if (plain !== undefined) return { bytes: Buffer.from(plain, 'utf8'), length: 2 };
  const octal = /^[0-7]{3}/.exec(body.slice(offset + 1))?.[0];
  if (octal !== undefined && Number.parseInt(octal, 8) < 256) {
    return { bytes: Buffer.of(Number.parseInt(octal, 8)), length: 4 };
  }
  const length = lengths[letter] ?? 0;
  const digits = body.slice(offset + 2, offset + 2 + length);
  if (length === 0 || !new RegExp(`^[0-9a-fA-F]{${length}}$`).test(digits)) {
    return fail(offset, `\\${letter} is no escape here; write \\\\ for a backslash`);
  }
  const code = Number.parseInt(digits, 16);
  if (code > 0x10ffff) return fail(offset, `\\${letter}${digits} is no character`);
  const bytes = letter === 'x' ? Buffer.of(code) : Buffer.from(String.fromCodePoint(code), 'utf8');
  return { bytes, length: 2 + length };
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
