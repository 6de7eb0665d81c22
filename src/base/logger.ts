// Structured logs by pino. Fields hold names, counts, times and codes; never a value of a secret.

import pino from 'pino';
import { describeError } from './errors.ts';
import { eventOf } from './log/log-events.ts';
import { type LogOutputOptions, openLogOutput } from './log/log-output.ts';
import { createRepeats, distinction, type Repeats } from './log/log-repeats.ts';
import type { Prepared } from './prepared.ts';
import { timesText } from './text/counted.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions extends LogOutputOptions {
  readonly level: LogLevel;
}

export interface LogSink {
  readonly logger: Logger;
  /** Opens where the log is to go; throws when it cannot be opened. The commit sends what comes from then on there. */
  prepare(options: LoggerOptions): Prepared;
  level(): LogLevel;
  /** At once, for every child; the next `prepare` that is committed sets it again. */
  setLevel(level: LogLevel): void;
  /** Why lines cannot be written; undefined: they can. */
  trouble(): string | undefined;
  /** Opens the file again, after logrotate has moved it away. */
  reopen(): void;
}

/** So many different lines are known at a time. */
const mostKnown = 500;

/** Logs synchronously, so that the last line before an exit is there. Throws when the file cannot be opened. */
export function createLogger(options: LoggerOptions): LogSink {
  let current = openLogOutput(options);
  const stream = { write: (line: string) => current.write(line) };
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = pino(settings, stream);
  const repeats = createRepeats<ToldLine>({
    most: mostKnown,
    tell: ({ teller, level, fields, message }, count) =>
      teller[level](
        { ...withEvent(fields, message), repeated: count },
        `${message} (and ${timesText(count)} more in the last minute)`,
      ),
  });
  return {
    logger: loggerOn(logger, { levelNow: () => logger.level, repeats, place: '' }),
    prepare(next) {
      const { file, format } = current.options;
      const isSame = next.file === file && next.format === format;
      const output = isSame ? current : openLogOutput(next);
      return {
        commit() {
          logger.level = next.level;
          // What was open then may have been opened again meanwhile, and is closed.
          if (isSame) return;
          current.end();
          current = output;
        },
        abandon() {
          if (!isSame) output.end();
        },
      };
    },
    level: () => logLevels.find((level) => level === logger.level) ?? 'silent',
    setLevel(level) {
      logger.level = level;
    },
    trouble: () => current.trouble(),
    reopen() {
      if (current.options.file === undefined) return;
      const before = current;
      try {
        current = openLogOutput(before.options);
        before.end();
      } catch (error) {
        // The log goes on where it went, and says so there.
        logger.error(
          { event: 'log.not-reopened', error: describeError(error) },
          'the log file was not opened again',
        );
      }
    },
  };
}

/** Children follow the level of the root: pino gives each the level that the root had when it was made. */
function loggerOn(logger: pino.Logger, root: LogRoot): Logger {
  const { levelNow, repeats, place } = root;
  const at =
    (level: ToldLevel | 'debug') =>
    (fields: LogFields, message: string): void => {
      if (logger.level !== levelNow()) logger.level = levelNow();
      if (!logger.isLevelEnabled(level)) return;
      // What a program prints is its own, however often it says it.
      const isOfOthers = level === 'debug' || 'stream' in fields;
      const isTold =
        isOfOthers ||
        repeats.isWorthTelling(`${place}${level}${message}${distinction(fields)}`, {
          ...{ teller: logger, level, fields, message },
        });
      if (isTold) logger[level](withEvent(fields, message), message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) =>
      loggerOn(logger.child(fields), { ...root, place: `${place}${JSON.stringify(fields)}` }),
  };
}

/** Programs look for it, whatever the message says in a later release. */
function withEvent(fields: LogFields, message: string): LogFields {
  const event = fields['event'] ?? eventOf(message);
  return event === undefined ? fields : { event, ...fields };
}

type ToldLevel = 'info' | 'warn' | 'error';

interface LogRoot {
  readonly levelNow: () => string;
  readonly repeats: Repeats<ToldLine>;
  /** Tells a child's lines from those of others. */
  readonly place: string;
}

interface ToldLine {
  /** Has the fields of the child that said it. */
  readonly teller: pino.Logger;
  readonly level: ToldLevel;
  readonly fields: LogFields;
  readonly message: string;
}

/** For code that needs a logger where nobody listens. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
