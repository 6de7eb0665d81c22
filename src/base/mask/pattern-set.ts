// Many byte patterns looked for in one pass over a text: what that costs does not grow with their number. Each pattern is
// known by four of its bytes, which as few others as possible have.

export interface PatternSet {
  readonly isEmpty: boolean;
  /** Calls for every place of every pattern, in the order of the places' anchors. */
  find(text: Buffer, onFound: (at: number, pattern: Buffer) => void): void;
  /** Where the longest beginning of a pattern stands with which the text breaks off at `end`; of four bytes at least. */
  beginningAt(text: Buffer, end: number): number | undefined;
}

interface Anchored {
  readonly bytes: Buffer;
  /** Of the last byte of its anchor. */
  readonly offset: number;
}

/** Shorter patterns are not taken. */
const anchorBytes = 4;
/** Places for an anchor that are tried: values that begin alike differ further on. */
const someTries = 8;
const mostTries = 256;
/** That many patterns with one anchor are looked at one by one. */
const fewUses = 1;
/** Slots for each pattern: one place in so many of a text that has nothing of them is looked at twice. */
const slotsEach = 16;
const smallestBits = 8;
const largestBits = 20;

export function createPatternSet(patterns: Iterable<Buffer>): PatternSet {
  const usable = [...patterns].filter(({ length }) => length >= anchorBytes);
  const bits = Math.ceil(Math.log2(usable.length * slotsEach + 1));
  const shift = 32 - Math.min(largestBits, Math.max(smallestBits, bits));
  const slots: (Anchored[] | undefined)[] = new Array<Anchored[] | undefined>(2 ** (32 - shift));
  slots.fill(undefined);
  /** One bit a slot: small enough to stay in the processor's cache. */
  const isTaken = new Uint32Array(slots.length / 32);

  function slotOf(bytes: Buffer, last: number): number {
    return slotOfWord(bytes.readUInt32BE(last - anchorBytes + 1), shift);
  }

  for (const bytes of usable) {
    const offset = leastUsed(bytes, (last) => slots[slotOf(bytes, last)]?.length ?? 0);
    const slot = slotOf(bytes, offset);
    const others = slots[slot] ?? [];
    slots[slot] = others;
    if (others.some((one) => one.bytes.equals(bytes))) continue;
    others.push({ bytes, offset });
    isTaken[slot >>> 5] = (isTaken[slot >>> 5] ?? 0) | (1 << (slot & 31));
  }

  /** By their first bytes, the longest first. Made when output breaks off for the first time. */
  let beginnings: ReadonlyMap<number, readonly Buffer[]> | undefined;
  const longest = usable.reduce((most, { length }) => Math.max(most, length), 0);

  return {
    isEmpty: usable.length === 0,
    beginningAt(text, end) {
      beginnings ??= byBeginning(usable);
      for (let at = Math.max(0, end - longest + 1); at <= end - anchorBytes; at++) {
        for (const pattern of beginnings.get(text.readUInt32BE(at)) ?? []) {
          if (pattern.length <= end - at) break;
          if (breaksOff(text, at, end, pattern)) return at;
        }
      }
      return undefined;
    },
    find(text, onFound) {
      if (usable.length === 0) return;
      let word = 0;
      for (let at = 0; at < text.length; at++) {
        word = (word << 8) | (text[at] ?? 0);
        const slot = slotOfWord(word, shift);
        if (((isTaken[slot >>> 5] ?? 0) & (1 << (slot & 31))) === 0) continue;
        for (const { bytes, offset } of slots[slot] ?? []) {
          const from = at - offset;
          if (isAt(text, bytes, from)) onFound(from, bytes);
        }
      }
    },
  };
}

function byBeginning(patterns: readonly Buffer[]): ReadonlyMap<number, readonly Buffer[]> {
  const sorted = [...patterns].sort((a, b) => b.length - a.length);
  return Map.groupBy(sorted, (pattern) => pattern.readUInt32BE(0));
}

function breaksOff(text: Buffer, at: number, end: number, pattern: Buffer): boolean {
  const length = end - at;
  if (pattern[length - 1] !== text[end - 1]) return false;
  return text.compare(pattern, 0, length, at, end) === 0;
}

function slotOfWord(word: number, shift: number): number {
  return Math.imul(word, 0x9e3779b1) >>> shift;
}

function isAt(text: Buffer, bytes: Buffer, from: number): boolean {
  const to = from + bytes.length;
  if (from < 0 || to > text.length) return false;
  // Most that have the anchor alone differ here; the call costs more than all the rest.
  if (text[from] !== bytes[0] || text[to - 1] !== bytes[bytes.length - 1]) return false;
  return text.compare(bytes, 0, bytes.length, from, to) === 0;
}

/** From the end on: there random values differ, whatever they have in front of them. Some places first, then each. */
function leastUsed(bytes: Buffer, useOf: (last: number) => number): number {
  const end = bytes.length - 1;
  const places = end - anchorBytes + 2;
  let best = end;
  let least = useOf(end);
  for (const step of [Math.ceil(places / someTries), Math.ceil(places / mostTries)]) {
    for (let last = end - step; last >= anchorBytes - 1 && least > fewUses; last -= step) {
      const use = useOf(last);
      if (use >= least) continue;
      best = last;
      least = use;
    }
  }
  return best;
}
