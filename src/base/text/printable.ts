// Text of other people's making (names in requests, programs' paths, a vault's error texts) for a terminal or a log: what
// would move the cursor, change the title, begin a line or turn the order of letters around is written out instead.

// C0, DEL and C1; line and paragraph separator; the marks, embeddings and isolates of bidirectional text; the byte order
// mark, which may stand for nothing between two letters; halves of a character.
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;
const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** On one line. */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => named[character] ?? codeOf(character));
}

/** On as many lines as it has; tabs stay. For text that we have put together line by line. */
export function printableLines(text: string): string {
  return text.replace(unsafe, (character) =>
    character === '\n' || character === '\t' ? character : (named[character] ?? codeOf(character)),
  );
}

/** JSON stays what it says: its own way to write a character is used. White space between its parts stays. */
export function printableJson(json: string): string {
  return json.replace(unsafe, (character) => {
    if (character === '\n' || character === '\t' || character === '\r') return character;
    return Array.from({ length: character.length }, (_, index) => unit(character.charCodeAt(index))).join('');
  });
}

function codeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000 ? unit(code) : `\\u{${code.toString(16)}}`;
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
