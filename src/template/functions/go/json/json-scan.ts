// What the readers of JSON text have in common: pieces of it that are gone over at once.

/** Sticky: for `endOf`. */
export const space = /[ \t\r\n]*/y;
/** Of a string, up to its end or a backslash. */
export const plainText = /[^"\\\0-\x1f]*/y;
/** Of a string, between two looks at the time. */
export const partsALook = 1000;

/** Where what fits the sticky pattern ends; at `at` itself where nothing does. */
export function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 0);
}
