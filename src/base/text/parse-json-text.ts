// JSON.parse without a fault of V8 13.6 (Node 24): after an object with a key that ends in a backslash, another one with
// the same keys before it gets that key in place of an escaped one: `{"\n":1}` becomes `{"\\":1}`. Text with an escaped
// key, which hardly any has, is therefore read here.

type ToNumber = (value: number, source: string) => unknown;

// In V8 since 11.4 (TC39 "JSON.parse source text access"), not yet in TypeScript's library.
type SourceReviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;

/** As JSON.parse, with each number as `toNumber` makes it. Throws a SyntaxError, which quotes nothing of its input. */
export function parseJsonText(text: string, toNumber: ToNumber): unknown {
  try {
    return parsed(text, toNumber);
  } catch (error) {
    // V8's own has some of the text in its message, and in what is shown of it by others: a secret, perhaps.
    throw error instanceof SyntaxError ? new SyntaxError('not valid JSON') : error;
  }
}

function parsed(text: string, toNumber: ToNumber): unknown {
  const revive: SourceReviver = (_key, value, { source }) =>
    typeof value === 'number' ? toNumber(value, source ?? String(value)) : value;
  if (!hasEscapedKey(text)) {
    // To be told the source of each value costs as much as all the rest.
    if (hasPlainNumbers(text)) return withNumbers(JSON.parse(text), toNumber);
    return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
  }
  // Throws for what is no JSON; the walk relies on it.
  JSON.parse(text);
  return createWalk(text, toNumber)();
}

/**
 * Whether the source of each number is what the number is printed as. What looks like a number in a string counts too, and one
 * that is all of the text does not.
 */
function hasPlainNumbers(text: string): boolean {
  for (const [, source] of text.matchAll(/[:,[]\s*(-?\d[\d.eE+-]*)/g)) {
    if (source !== String(Number(source))) return false;
  }
  return /^\s*[{[]/.test(text);
}

/** Changes objects and arrays as they are. */
function withNumbers(value: unknown, toNumber: ToNumber): unknown {
  if (typeof value === 'number') return toNumber(value, String(value));
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Record<string, unknown>;
  for (const key in members) {
    const before = members[key];
    const after = withNumbers(before, toNumber);
    if (after === before) continue;
    // An assignment to `__proto__` would be another thing.
    if (key === '__proto__') define(members, key, after);
    else members[key] = after;
  }
  return value;
}

function define(object: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Looks only at strings with a backslash in them; a few of what is no JSON count too. */
function hasEscapedKey(text: string): boolean {
  let quote = -1;
  for (let at = text.indexOf('\\'); at >= 0; ) {
    const next = text.indexOf('\\', at + 2);
    if (quote < at + 2) quote = text.indexOf('"', at + 2);
    if (quote < 0) return false;
    const isLast = next < 0 || next > quote;
    if (isLast && text[skipSpace(text, quote + 1)] === ':') return true;
    at = next;
  }
  return false;
}

function createWalk(text: string, toNumber: ToNumber): () => unknown {
  let at = 0;

  function value(): unknown {
    at = skipSpace(text, at);
    switch (text[at]) {
      case '{':
        return object();
      case '[':
        return array();
      case '"':
        return string();
      default:
        return scalar();
    }
  }

  function object(): Record<string, unknown> {
    const found: Record<string, unknown> = {};
    for (at = skipSpace(text, at + 1); text[at] !== '}'; at = skipSpace(text, at)) {
      if (text[at] === ',') at = skipSpace(text, at + 1);
      const key = string();
      at = skipSpace(text, at) + 1;
      // An assignment to `__proto__` would be another thing.
      define(found, key, value());
    }
    at += 1;
    return found;
  }

  function array(): unknown[] {
    const found: unknown[] = [];
    for (at = skipSpace(text, at + 1); text[at] !== ']'; at = skipSpace(text, at)) {
      if (text[at] === ',') at += 1;
      found.push(value());
    }
    at += 1;
    return found;
  }

  function string(): string {
    const start = at;
    for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
    at += 1;
    return JSON.parse(text.slice(start, at)) as string;
  }

  function scalar(): unknown {
    const start = at;
    while (at < text.length && !',]} \t\r\n'.includes(text[at] ?? '')) at += 1;
    const source = text.slice(start, at);
    const found: unknown = JSON.parse(source);
    return typeof found === 'number' ? toNumber(found, source) : found;
  }

  return value;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? '-')) at += 1;
  return at;
}
