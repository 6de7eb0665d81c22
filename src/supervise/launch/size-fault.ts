// What of an environment and arguments is too long for the kernel, by name: whoever has to shorten it must know which.
import type { Environment } from './environment.ts';

/** MAX_ARG_STRLEN of Linux: 32 pages, with the NUL at the end. */
const longestString = 131_071;
/** A quarter of the usual limit of the stack (8 MiB), less than a page; each string costs a pointer more. */
const mostInAll = 2 * 1024 * 1024 - 4096;

/** Undefined: nothing is, by the usual limits. */
export function sizeFault(words: readonly string[], env: Environment): string | undefined {
  const strings = [
    ...words.map((word) => ({ what: 'an argument', bytes: Buffer.byteLength(word) })),
    ...Object.entries(env).map(([name, value]) => ({
      what: `the variable ${name}`,
      bytes: Buffer.byteLength(`${name}=${value}`),
    })),
  ].sort((a, b) => b.bytes - a.bytes);
  const [longest] = strings;
  if (longest === undefined) return undefined;
  const { what, bytes } = longest;
  if (bytes > longestString) return `${what} has ${bytes} bytes, the kernel takes ${longestString} at most`;
  const sum = strings.reduce((total, one) => total + one.bytes + 9, 0);
  if (sum <= mostInAll) return undefined;
  return `environment and arguments have ${sum} bytes, the kernel takes about ${mostInAll} in all; the longest is ${what} with ${bytes}`;
}
