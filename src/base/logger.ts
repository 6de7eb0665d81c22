// Structured logs by pino. Fields hold names, counts, times and codes; never a value of a secret.
import { fstatSync } from 'node:fs';
import pino from 'pino';
import { describeError, LatchkeyError } from './errors.ts';
import { eventOf } from './log-events.ts';
import { openLog } from './paths/open-trail.ts';
import { PathFault } from './paths/path-trust.ts';
import type { Prepared } from './prepared.ts';
import { errnoOf } from './system/errno.ts';
import { printable, printableJson } from './text/printable.ts';

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

export interface LoggerOptions {
  level: LogLevel;
  /** `text` is for people: time, level, message, key=value. */
  format: 'json' | 'text';
  /** A path is appended to and opened again by `reopen`; absent: stderr. */
  file?: string | undefined;
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

const levelNames: Readonly<Record<number, string>> = {
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
};

/** Lines that cannot be written, on a full disk, wait for room up to this many bytes; then they are dropped. */
const mostUnwritten = 256 * 1024;

type Destination = ReturnType<typeof pino.destination>;

/** Logs synchronously, so that the last line before an exit is there. Throws when the file cannot be opened. */
export function createLogger(options: LoggerOptions): LogSink {
  let current = openOutput(options);
  const stream = { write: (line: string) => current.write(line) };
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = pino(settings, stream);
  const repeats = createRepeats(({ level, fields, message }, count) =>
    logger[level](
      { ...withEvent(fields, message), repeated: count },
      `${message} (and ${count} times more in the last minute)`,
    ),
  );
  return {
    logger: loggerOn(logger, { levelNow: () => logger.level, repeats, place: '' }),
    prepare(next) {
      const isSame = next.file === current.file && next.format === current.format;
      const output = isSame ? current : openOutput(next);
      return {
        commit() {
          logger.level = next.level;
          // What was open then may have been opened again meanwhile, and is closed.
          if (isSame) return;
          current.destination.end();
          current = output;
        },
        abandon() {
          if (!isSame) output.destination.end();
        },
      };
    },
    level: () => logLevels.find((level) => level === logger.level) ?? 'silent',
    setLevel(level) {
      logger.level = level;
    },
    trouble: () => current.trouble(),
    reopen() {
      if (current.file === undefined) return;
      const before = current;
      try {
        current = openOutput(before);
        before.destination.end();
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
      if (isOfOthers || repeats.isWorthTelling({ level, fields, message }, place))
        logger[level](withEvent(fields, message), message);
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
  readonly repeats: Repeats;
  /** Tells a child's lines from those of others. */
  readonly place: string;
}

interface ToldLine {
  readonly level: ToldLevel;
  readonly fields: LogFields;
  readonly message: string;
}

interface Repeats {
  /** False: it was said a few times in this minute, and is counted. */
  isWorthTelling(line: ToldLine, place: string): boolean;
}

const minuteMs = 60_000;
const fewTimes = 5;
const mostKnown = 500;

/** No floods: what says the same again and again is one line a minute with their number. Numbers in fields make no other line. */
function createRepeats(tell: (line: ToldLine, count: number) => void): Repeats {
  const known = new Map<string, { line: ToldLine; begin: number; count: number }>();
  let timer: NodeJS.Timeout | undefined;

  function close(key: string): void {
    const one = known.get(key);
    known.delete(key);
    if (one !== undefined && one.count > fewTimes) tell(one.line, one.count - fewTimes);
  }

  function closeAll(): void {
    timer = undefined;
    process.off('exit', closeAll);
    for (const key of [...known.keys()]) close(key);
  }

  return {
    isWorthTelling(line, place) {
      const fields = JSON.stringify(line.fields, (_, value) => (typeof value === 'number' ? 0 : value));
      const key = `${place}${line.level}${line.message}${fields}`;
      const now = performance.now();
      const before = known.get(key);
      if (before !== undefined && now - before.begin >= minuteMs) close(key);
      const one = known.get(key) ?? { line, begin: now, count: 0 };
      one.count += 1;
      known.set(key, one);
      const [oldest] = known.keys();
      if (known.size > mostKnown && oldest !== undefined) close(oldest);
      if (one.count <= fewTimes) return true;
      // Only where there is something to tell: an agent at rest is not woken.
      if (timer === undefined) {
        timer = setTimeout(closeAll, minuteMs).unref();
        process.on('exit', closeAll);
      }
      return false;
    },
  };
}

interface Output {
  readonly file: string | undefined;
  readonly format: LoggerOptions['format'];
  readonly destination: Destination;
  trouble(): string | undefined;
  write(line: string): void;
}

function openOutput({ file, format }: Omit<LoggerOptions, 'level'>): Output {
  const destination = openDestination(file);
  const trouble = tellOnce(destination, file ?? 'stderr');
  const form = format === 'json' ? printableJson : textLine;
  const isJournal = file === undefined && isJournalAt(2);
  const write = (line: string): void =>
    void destination.write(isJournal ? `<${priorityOf(line)}>${form(line)}` : form(line));
  return { file, format, destination, trouble, write };
}

/** systemd names the socket that it has made stderr of; another program's stderr may be elsewhere. */
function isJournalAt(descriptor: number): boolean {
  const stream = process.env['JOURNAL_STREAM'];
  if (!stream) return false;
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return stream === `${dev}:${ino}`;
}

/** sd-daemon(3): the journal takes it off the line, and `journalctl -p warning` goes by it. */
function priorityOf(line: string): number {
  const level = Number(/"level":(\d+)/.exec(line)?.[1] ?? 30);
  if (level >= 50) return 3;
  return level >= 40 ? 4 : level >= 30 ? 6 : 7;
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
function tellOnce(destination: Destination, name: string): Output['trouble'] {
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

/** For code that needs a logger where nobody listens. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

function textLine(line: string): string {
  const { level, time, msg, event: _, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) =>
      ` ${key}=${typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`,
  );
  const name = (levelNames[Number(level)] ?? 'INFO').padEnd(5);
  return `${printable(`${String(time)} ${name} ${String(msg)}${rest.join('')}`)}\n`;
}
