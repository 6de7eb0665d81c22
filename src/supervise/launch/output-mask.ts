// Takes secrets out of what programs print, line by line, across chunk boundaries. The forms that are looked for are kept
// as bytes, not as strings: a heap snapshot shows strings.
import type { SecretValue } from '../../base/secret-value.ts';

/** Masks whole lines; what it was not told of it cannot know. */
export interface OutputMask {
  bytes(line: Buffer): Buffer;
  text(line: string): string;
  /** Bytes of the longest form. */
  readonly longest: number;
  /** The same with a piece of a form at the very end masked too: output may break off in the middle of a secret. */
  lastBytes(line: Buffer): Buffer;
}

const redacted = Buffer.from('[redacted]');
/** Shorter values (`1`, `yes`) are no secrets, and masking them would make the output unreadable. */
const shortestValue = 4;
/** A line of a value with several lines, another spelling of a value, a piece at the end. */
const shortestPart = 8;

/** A mask for many values is made anew for each that changes. */
const knownForms = new WeakMap<SecretValue, readonly Buffer[]>();

/** Looks for each value as it is, line by line, and as JSON, URLs and base64 spell it. */
export function createOutputMask(values: Iterable<SecretValue>): OutputMask {
  const forms = new Map<string, Buffer>();
  for (const value of values) {
    const all = knownForms.get(value) ?? [...formsOf(value.bytes())];
    knownForms.set(value, all);
    for (const form of all) forms.set(form.toString('latin1'), form);
  }
  const longestFirst = [...forms.values()].sort((a, b) => b.length - a.length);
  forms.clear();
  const bytes = (line: Buffer) => longestFirst.reduce(replaceAll, line);
  return {
    bytes,
    text: (line) => (longestFirst.length === 0 ? line : bytes(Buffer.from(line)).toString()),
    longest: longestFirst[0]?.length ?? 0,
    lastBytes: (line) => maskEnd(bytes(line), longestFirst),
  };
}

/** The mask of this moment for some values and those in use: made anew when `inUse` answers with another array. */
export function createLiveMask(
  own: readonly SecretValue[],
  inUse: () => readonly SecretValue[],
): () => OutputMask {
  let mask: OutputMask | undefined;
  let madeOf: readonly SecretValue[] | undefined;
  return () => {
    const now = inUse();
    if (mask === undefined || now !== madeOf) mask = createOutputMask([...own, ...now]);
    madeOf = now;
    return mask;
  };
}

function* formsOf(value: Buffer): Generator<Buffer> {
  if (value.length < shortestValue) return;
  yield Buffer.from(value);
  if (value.length < shortestPart) return;
  const text = value.toString('utf8');
  for (const line of text.split(/\r?\n/)) {
    if (line.length >= shortestPart) yield Buffer.from(line);
  }
  yield Buffer.from(JSON.stringify(text).slice(1, -1));
  yield Buffer.from(encodeURIComponent(text.toWellFormed()));
  const base64 = value.toString('base64').replace(/=+$/, '');
  yield Buffer.from(base64);
  yield Buffer.from(value.toString('base64url'));
}

function replaceAll(line: Buffer, form: Buffer): Buffer {
  let at = line.indexOf(form);
  if (at < 0) return line;
  const parts: Buffer[] = [];
  let from = 0;
  while (at >= 0) {
    parts.push(line.subarray(from, at), redacted);
    from = at + form.length;
    at = line.indexOf(form, from);
  }
  parts.push(line.subarray(from));
  return Buffer.concat(parts);
}

function maskEnd(line: Buffer, forms: readonly Buffer[]): Buffer {
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, line.length); length >= shortestPart; length--) {
      const start = line.length - length;
      if (line.subarray(start).equals(form.subarray(0, length))) {
        return Buffer.concat([line.subarray(0, start), redacted]);
      }
    }
  }
  return line;
}

export interface LineReader {
  push(chunk: Buffer): void;
  /** The output is over: what stands after the last newline is a line too. */
  end(): void;
}

const newline = 10;
const longestLine = 16 * 1024;

/**
 * Cuts bytes into lines, masked, without the newline; a line of more than 16 KiB is cut into several. The mask is asked for
 * with each piece of output, because secrets come while a program runs.
 */
export function createLineReader(currentMask: () => OutputMask, onLine: (line: string) => void): LineReader {
  let pending: Buffer = Buffer.alloc(0);
  const emit = (line: Buffer) => onLine(line.toString('utf8').replace(/\r$/, ''));
  return {
    push(chunk) {
      const mask = currentMask();
      let from = 0;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
        emit(mask.bytes(Buffer.concat([pending, chunk.subarray(from, at)])));
        pending = Buffer.alloc(0);
        from = at + 1;
      }
      pending = Buffer.concat([pending, chunk.subarray(from)]);
      // What may be the beginning of a secret stays behind the cut until it is whole.
      while (pending.length > longestLine + mask.longest) {
        const masked = mask.bytes(pending);
        const cut = Math.min(longestLine, Math.max(0, masked.length - mask.longest));
        if (cut === 0) {
          pending = masked;
          break;
        }
        emit(masked.subarray(0, cut));
        pending = masked.subarray(cut);
      }
    },
    end() {
      if (pending.length > 0) emit(currentMask().lastBytes(pending));
      pending = Buffer.alloc(0);
    },
  };
}
