// How much an answer from outside may be as JSON, told before it is parsed: to parse a million keys, and to go through them
// at each change, would hold everybody up for seconds.

/** More than any secret has; Vault takes 10,000 keys in one object at the most. */
const most = { values: 100_000, keys: 20_000, depth: 200 };
/** Shorter ones cannot be too much. */
const shortest = 2048;

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];
const isStructure = new Uint8Array(256);
for (const code of [quote, comma, openList, closeList, openObject, closeObject]) isStructure[code] = 1;

/** What of it is too much, and how much would do; undefined: nothing is, or this is no JSON object or list. */
export function jsonExcess(text: Buffer): string | undefined {
  if (text.length < shortest || !/^\s*[{[]/.test(text.toString('latin1', 0, 64))) return undefined;
  /** Of each object or list that is open: an object's members, or none. */
  const members: number[] = [];
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text[at] ?? 0;
    if (isStructure[code] === 0) continue;
    if (code === quote) {
      at = endOfString(text, at);
    } else if (code === closeList || code === closeObject) {
      members.pop();
    } else {
      values++;
      if (code !== comma) members.push(code === openObject ? 1 : Number.NEGATIVE_INFINITY);
      else members.push((members.pop() ?? 0) + 1);
      if (members.length > most.depth) return `is nested more than ${most.depth} deep`;
      if ((members.at(-1) ?? 0) > most.keys) return `has an object of more than ${most.keys} keys`;
      if (values > most.values) return `has more than ${most.values} values`;
    }
  }
  return undefined;
}

function endOfString(text: Buffer, begin: number): number {
  for (let at = begin + 1; at < text.length; at++) {
    const code = text[at];
    if (code === backslash) at++;
    else if (code === quote) return at;
  }
  return text.length;
}
