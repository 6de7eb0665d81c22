// Where the lines of the log go: a file, stderr, or the journal behind it.
import pino from 'pino';
import { LatchkeyError } from '../errors.ts';
import { openLog } from '../paths/open-trail.ts';
import { PathFault } from '../paths/path-trust.ts';
import { errnoOf } from '../system/errno.ts';
import { printableJson } from '../text/printable.ts';
import { createJournal, isJournalAt } from './log-journal.ts';
import { lostLine, textLine, wordsOf } from './log-line.ts';

export interface LogOutputOptions {
  /** `text` is for people: time, level, message, key=value. */
  readonly format: 'json' | 'text';
  /** A path is appended to; absent: stderr. */
  readonly file?: string | undefined;
}

export interface LogOutput {
  readonly options: LogOutputOptions;
  /** Takes a line of JSON. */
  write(line: string): void;
  /** Why lines cannot be written; undefined: they can. */
  trouble(): string | undefined;
  end(): void;
}

/** Lines that cannot be written, on a full disk, wait for room up to this many bytes; then they are dropped. */
const mostUnwritten = 256 * 1024;

type Destination = ReturnType<typeof pino.destination>;

/** Writes synchronously, so that the last line before an exit is there. Throws when the file cannot be opened. */
export function openLogOutput(options: LogOutputOptions): LogOutput {
  const { file, format } = options;
  const destination = openDestination(file);
  const trouble = tellOnce(destination, file ?? 'stderr');
  const end = (): void => destination.end();
  if (file === undefined && isJournalAt(2)) {
    const journal = createJournal({
      messageOf: (line, text) => (format === 'json' ? printableJson(text).trimEnd() : wordsOf(line)),
      otherwise: (message) => void destination.write(message),
    });
    return { options, write: journal.write, trouble: () => journal.trouble() ?? trouble(), end };
  }
  const form = format === 'json' ? printableJson : textLine;
  let lost = 0;
  destination.on('drop', () => {
    lost += 1;
  });
  const write = (line: string): void => {
    destination.write(form(line));
    if (lost === 0 || trouble() !== undefined) return;
    const told = form(lostLine(lost));
    lost = 0;
    destination.write(told);
  };
  return { options, write, trouble, end };
}

function openDestination(file: string | undefined): Destination {
  const settings = { sync: true, maxLength: mostUnwritten };
  if (file === undefined) return pino.destination({ ...settings, fd: 2 });
  try {
    return pino.destination({ ...settings, fd: openLog(file, 0o640) });
  } catch (cause) {
    const remedy = 'make its folder, let this user write there, or name another file';
    throw new LatchkeyError(
      'file_failed',
      cause instanceof PathFault
        ? `log.file: ${cause.message}`
        : `log.file: ${file} cannot be opened for writing (${errnoOf(cause)})`,
      { cause, remedy: cause instanceof PathFault ? cause.remedy : remedy },
    );
  }
}

/** A log that cannot be written ends nothing: once a trouble, stderr says so, where that is not the log itself. */
function tellOnce(destination: Destination, name: string): LogOutput['trouble'] {
  let trouble: string | undefined;
  destination.on('write', () => {
    trouble = undefined;
  });
  destination.on('error', (error: NodeJS.ErrnoException) => {
    const before = trouble;
    trouble = `${name} cannot be written (${error.code}); make room`;
    if (before === undefined && name !== 'stderr') {
      process.stderr.write(`latchkey: the log file ${trouble}\n`);
    }
  });
  return () => trouble;
}
