// Output that cannot be written, because nobody reads it any more or a disk is full: a line at most, never a crash.
import { writeSync } from 'node:fs';
import { say } from './output.ts';

let isTolerant = false;

/** A reader that has had enough (`| head -1`) is fine; for anything else the exit code is 1. */
export function tolerateBrokenOutput(): void {
  if (isTolerant) return;
  isTolerant = true;
  process.stderr.on('error', () => undefined); // nowhere is left to say so
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    say(`latchkey: cannot write the output: ${error.code ?? error.message}`);
    process.once('exit', () => {
      process.exitCode = 1;
    });
  });
}

/** On stdout, byte for byte, without what Node loads for its streams unless something is in the way. */
export function writeOut(bytes: Buffer): void {
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(1, bytes, written);
  } catch {
    // Nobody reads, the disk is full, or a pipe takes no more for now: the stream waits, and the handlers above say so.
    tolerateBrokenOutput();
    process.stdout.write(bytes.subarray(written));
  }
}
