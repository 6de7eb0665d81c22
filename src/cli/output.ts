// What commands say: for people on stderr, for programs and pipes on stdout. Nothing that others have named or written
// reaches a terminal as anything but letters; a secret that was asked for (`get`) goes its own way, byte for byte.
import { printable, printableJson, printableLines } from '../base/text/printable.ts';
import { isColoured, rendered } from './text/tone.ts';

/** One line on stderr. */
export function say(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** One line on stdout. */
export function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** Lines that were put together here, with their ends: a table, a diff. */
export function printText(text: string): void {
  process.stdout.write(printableLines(text));
}

/** The same of a text whose marks are all our own: on a terminal they are its colours. */
export function colouredText(text: string): string {
  return rendered(printableLines(text), isColoured(process.stdout, process.env));
}

/** Undefined: not on a terminal, where lines are as long as they are. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(JSON.stringify(value))}\n`);
}
