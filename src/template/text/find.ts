// Searches a text for another one in a time that is their lengths', whatever both are: the engine's own search takes the
// product of both for texts that are made for it, minutes for one call.

/** Up to here, and where both together are small, the engine's search is the faster one at its worst, too. */
const shortNeedle = 16;
const smallProduct = 4_000_000;

/** As String.prototype.indexOf. */
export function indexOfText(text: string, needle: string): number {
  return isHarmless(text, needle) ? text.indexOf(needle) : search(text, needle, fallbacks(needle), 0);
}

/** As String.prototype.split with a separator that is not empty. */
export function splitText(text: string, separator: string): string[] {
  if (isHarmless(text, separator)) return text.split(separator);
  const table = fallbacks(separator);
  const parts: string[] = [];
  let start = 0;
  for (let at = search(text, separator, table, 0); at >= 0; at = search(text, separator, table, start)) {
    parts.push(text.slice(start, at));
    start = at + separator.length;
  }
  parts.push(text.slice(start));
  return parts;
}

function isHarmless(text: string, needle: string): boolean {
  const { length } = needle;
  return length <= shortNeedle || length > text.length || length * text.length <= smallProduct;
}

/** Knuth, Morris and Pratt: no byte of the text is looked at again. */
function search(text: string, needle: string, table: Int32Array, from: number): number {
  let matched = 0;
  for (let at = from; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    while (matched > 0 && needle.charCodeAt(matched) !== byte) matched = table[matched - 1] ?? 0;
    if (needle.charCodeAt(matched) === byte) matched++;
    if (matched === needle.length) return at - matched + 1;
  }
  return -1;
}

/** For each start of the needle: how long the longest start is that it also ends in. */
function fallbacks(needle: string): Int32Array {
  const table = new Int32Array(needle.length);
  let matched = 0;
  for (let at = 1; at < needle.length; at++) {
    const byte = needle.charCodeAt(at);
    while (matched > 0 && needle.charCodeAt(matched) !== byte) matched = table[matched - 1] ?? 0;
    if (needle.charCodeAt(matched) === byte) matched++;
    table[at] = matched;
  }
  return table;
}
