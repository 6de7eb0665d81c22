// Another text that stands in a text: what is left of it when a spelling is taken off, and where each byte of it was.

export interface PlainText {
  readonly bytes: Buffer;
  /** Where each byte's spelling begins in the text, and where it ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Where in `bytes` it would go on if the text did. */
  readonly opens: readonly number[];
}

/** Grows to the longest line so far; each line's places are a piece of it. */
let counted = Uint32Array.from({ length: 1024 }, (_, at) => at);

/** The text itself. */
export function asItIs(bytes: Buffer): PlainText {
  const { length } = bytes;
  if (counted.length <= length) counted = Uint32Array.from({ length: length * 2 }, (_, at) => at);
  return {
    bytes,
    starts: counted.subarray(0, length),
    ends: counted.subarray(1, length + 1),
    opens: [length],
  };
}

export interface PlainWriter {
  /** A byte that stands for those from `first` to `last` of the text that it is made of. */
  put(byte: number, first: number, last: number): void;
  /** What was put until now goes on where the text does: said of each of several, or of none for all. */
  leaveOpen(): void;
  end(): PlainText;
}

/** `most`: bytes that are put at most, by default as many as the text has. */
export function writePlain(of: PlainText, most = of.bytes.length): PlainWriter {
  const bytes = Buffer.alloc(most);
  const [starts, ends] = [new Uint32Array(most), new Uint32Array(most)];
  const opens: number[] = [];
  let length = 0;
  return {
    put(byte, first, last) {
      bytes[length] = byte;
      starts[length] = of.starts[first] ?? 0;
      ends[length++] = of.ends[last] ?? 0;
    },
    leaveOpen() {
      opens.push(length);
    },
    end: () => ({ bytes: bytes.subarray(0, length), starts, ends, opens }),
  };
}
