// The upstream's own JSON as a cached answer: the bytes stay as they came, only the numbers that count down are put in
// again. Knows where such a number stands; what it should be, vault-answer.ts says.

/** First byte of the number and the one after it. */
export type Span = readonly [start: number, end: number];

const quote = 0x22;
const backslash = 0x5c;
const openers = new Set([0x7b, 0x5b]);
const closers = new Set([0x7d, 0x5d]);

/**
 * Where the number of a top-level field stands, or of a field of the top-level object `parent`. Undefined where there
 * is none. The bytes must be well-formed JSON.
 */
export function numberSpan(json: Buffer, field: string, parent?: string): Span | undefined {
  const wanted = parent === undefined ? 1 : 2;
  const key = Buffer.from(JSON.stringify(field));
  const parentKey = parent === undefined ? undefined : Buffer.from(JSON.stringify(parent));
  let depth = 0;
  let isInParent = parent === undefined;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] ?? 0;
    if (openers.has(byte)) depth += 1;
    else if (closers.has(byte)) {
      depth -= 1;
      if (depth < 2 && parent !== undefined) isInParent = false;
    } else if (byte === quote) {
      const end = stringEnd(json, at);
      const colon = skipSpace(json, end);
      if (json[colon] === 0x3a) {
        const value = skipSpace(json, colon + 1);
        if (depth === 1 && parentKey !== undefined && isAt(json, at, end, parentKey)) {
          isInParent = json[value] === 0x7b;
        } else if (depth === wanted && isInParent && isAt(json, at, end, key)) return numberAt(json, value);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The bytes with other numbers in these places, which must be in order. */
export function withNumbers(json: Buffer, places: readonly { span: Span; number: number }[]): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const { span, number } of places) {
    parts.push(json.subarray(from, span[0]), Buffer.from(String(number), 'latin1'));
    from = span[1];
  }
  parts.push(json.subarray(from));
  return Buffer.concat(parts);
}

function stringEnd(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1;
  return at + 1;
}

function skipSpace(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && (json[at] ?? 0) <= 0x20) at += 1;
  return at;
}

function isAt(json: Buffer, start: number, end: number, key: Buffer): boolean {
  return end - start === key.length && json.compare(key, 0, key.length, start, end) === 0;
}

function numberAt(json: Buffer, start: number): Span | undefined {
  let end = start;
  while (end < json.length && /[-+.eE0-9]/.test(String.fromCharCode(json[end] ?? 0))) end += 1;
  return end > start ? [start, end] : undefined;
}
