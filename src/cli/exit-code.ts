// How a command says that it failed: a sentence for people, an exit code for programs.
import { errorCodes } from '../api/error-codes.ts';
import { describeError, errorCode } from '../base/errors.ts';
import { isJournalAt } from '../base/log/log-journal.ts';
import { printable, printableLines } from '../base/text/printable.ts';

/** Says on stderr what went wrong, and gives the exit code. */
export function reportFailure(error: unknown): number {
  tellFailure(error);
  return errorCodes[errorCode(error)].exit;
}

/** On stderr, for people; the journal takes the priority off each line (sd-daemon(3)). */
export function tellFailure(error: unknown): void {
  // Problems of a config are a line each; elsewhere a line's end is of somebody else's making.
  const written = errorCode(error) === 'config_invalid' ? printableLines : printable;
  const text = `latchkey: ${written(describeError(error))}`;
  process.stderr.write(`${isJournalAt(2) ? text.replaceAll(/^/gm, '<3>') : text}\n`);
}
