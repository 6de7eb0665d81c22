// A logger that keeps what it is told, for tests of what is logged and of what must not be.
import type { LogFields, Logger } from '../../src/base/logger.ts';

export interface LogLine {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

export interface LogRecord {
  readonly logger: Logger;
  readonly lines: LogLine[];
}

export function recordLogs(): LogRecord {
  const lines: LogLine[] = [];
  const at = (level: string, bound: LogFields) => (fields: LogFields, message: string) => {
    lines.push({ level, fields: { ...bound, ...fields }, message });
  };
  const bind = (bound: LogFields): Logger => ({
    debug: at('debug', bound),
    info: at('info', bound),
    warn: at('warn', bound),
    error: at('error', bound),
    child: (fields) => bind({ ...bound, ...fields }),
  });
  return { logger: bind({}), lines };
}
