// A line of the log as people read it.
import { printable } from '../text/printable.ts';

export interface LogLine {
  /** As pino counts them: 20 debug, 30 info, 40 warn, 50 error. */
  readonly level: number;
  readonly time: string;
  readonly message: string;
  readonly event: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

const levelNames: Readonly<Record<number, string>> = {
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
};

export function parseLogLine(line: string): LogLine {
  const { level, time, msg, event, ...fields } = JSON.parse(line) as Record<string, unknown>;
  return {
    level: Number(level),
    time: String(time),
    message: String(msg),
    event: typeof event === 'string' ? event : undefined,
    fields,
  };
}

/** The message and what else is known, `key=value`. */
export function wordsOf({ message, fields }: LogLine): string {
  const rest = Object.entries(fields).map(
    ([key, value]) =>
      ` ${key}=${typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`,
  );
  return printable(`${message}${rest.join('')}`);
}

export function textLine(text: string): string {
  const line = parseLogLine(text);
  const name = (levelNames[line.level] ?? 'INFO').padEnd(5);
  return `${line.time} ${name} ${wordsOf(line)}\n`;
}

/** The line, as JSON, that tells of others that were not written. */
export function lostLine(lost: number): string {
  const msg = 'the log could not be written for some time, and lines were lost';
  return `${JSON.stringify({ level: 40, time: new Date().toISOString(), event: 'log.lost', lost, msg })}\n`;
}
