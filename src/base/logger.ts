// Structured logs by pino. Fields hold names, counts, times and codes; never a value of a secret.
import pino from 'pino';
import { LatchkeyError } from './errors.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
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
  setLevel(level: LogLevel): void;
  /** Opens the file again, after logrotate has moved it away. */
  reopen(): void;
}

const levelNames: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
};

/** Lines that cannot be written, on a full disk, wait for room up to this many bytes; then they are dropped. */
const mostUnwritten = 256 * 1024;

/** Logs synchronously, so that the last line before an exit is there. Throws when the file cannot be opened. */
export function createLogger(options: LoggerOptions): LogSink {
  const destination = openDestination(options.file);
  tellOnce(destination, options.file ?? 'stderr');
  const stream =
    options.format === 'json' ? destination : { write: (line: string) => destination.write(textLine(line)) };
  const logger = pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  return {
    logger,
    setLevel: (level) => {
      logger.level = level;
    },
    reopen: () => {
      if (options.file !== undefined) destination.reopen();
    },
  };
}

function openDestination(file: string | undefined): ReturnType<typeof pino.destination> {
  const settings = { sync: true, maxLength: mostUnwritten };
  if (file === undefined) return pino.destination({ ...settings, fd: 2 });
  try {
    return pino.destination({ ...settings, dest: file, append: true, mode: 0o640 });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LatchkeyError('file_failed', `log.file: ${file} cannot be opened for writing (${code})`, {
      cause,
      remedy: 'make its folder, let this user write there, or name another file',
    });
  }
}

/** A log that cannot be written ends nothing: once a trouble, stderr says so, where that is not the log itself. */
function tellOnce(destination: ReturnType<typeof pino.destination>, name: string): void {
  let isFailing = false;
  destination.on('write', () => {
    isFailing = false;
  });
  destination.on('error', (error: NodeJS.ErrnoException) => {
    if (!isFailing && name !== 'stderr') {
      process.stderr.write(`latchkey: the log file ${name} cannot be written (${error.code}); make room\n`);
    }
    isFailing = true;
  });
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
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) =>
      ` ${key}=${typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`,
  );
  return `${String(time)} ${(levelNames[Number(level)] ?? 'INFO').padEnd(5)} ${String(msg)}${rest.join('')}\n`;
}
