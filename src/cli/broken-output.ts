// Output that cannot be written, because nobody reads it any more or a disk is full: a line at most, never a crash.
import { say } from './output.ts';

/** A reader that has had enough (`| head -1`) is fine; for anything else the exit code is 1. */
export function tolerateBrokenOutput(): void {
  process.stderr.on('error', () => undefined); // nowhere is left to say so
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    say(`latchkey: cannot write the output: ${error.code ?? error.message}`);
    process.once('exit', () => {
      process.exitCode = 1;
    });
  });
}
