// What a program said, for whoever has nothing but the output of a run in which a test failed. The reporter shows no stderr:
// `.ci/run` names a file, and prints it.
import { appendFileSync } from 'node:fs';
import type { Test } from 'tap';

const mostLines = 80;
const mostCharacters = 500;

/** At the end of the test, to the file `LATCHKEY_TEST_TOLD`, else to stderr; nothing where it passed. */
export function tellWhenFailed(t: Test, what: string, text: () => string): void {
  t.teardown(() => {
    if (t.passing()) return;
    const lines = text().trimEnd().split('\n').slice(-mostLines);
    const shown = lines.map((line) => `  ${line.slice(0, mostCharacters)}`).join('\n');
    appendFileSync(
      process.env['LATCHKEY_TEST_TOLD'] ?? 2,
      `\n# ${what}, in "${t.fullname}" which failed:\n${shown}\n`,
    );
  });
}
