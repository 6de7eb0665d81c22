// Output that cannot be written, because nobody reads it any more or a disk is full: a line at most, never a crash.

/** A reader that has had enough (`| head -1`) is fine; for anything else the exit code is 1. */
export function tolerateBrokenOutput(): void {
  process.stderr.on('error', () => undefined); // nowhere is left to say so
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(`latchkey: cannot write the output: ${error.code ?? error.message}\n`);
    process.once('exit', () => {
      process.exitCode = 1;
    });
  });
}
