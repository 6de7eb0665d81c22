// The level of the log while the agent runs: what an administrator set, for a time or until the next reload, else the config's.

import { apiTime } from '../../api/api-time.ts';
import type { LogStatus } from '../../api/status.ts';
import type { LogLevel, LogSink } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';

interface LogLevelOptions {
  readonly log: LogSink;
  readonly clock: Clock;
  /** Of the config in force. */
  configured(): LogLevel;
}

export interface LogLevelSwitch {
  /** Absent level: the config's; absent `forMs`: until the next reload or the end. */
  set(level: LogLevel | undefined, forMs: number | undefined): LogStatus;
  /** A reload has put the config's level in force. */
  reloaded(): void;
  status(): LogStatus;
  close(): void;
}

export function createLogLevel({ log, clock, configured }: LogLevelOptions): LogLevelSwitch {
  const timer = createEarliestTimer(clock, () => {
    forget();
    change(configured(), {});
  });
  /** Wall time in milliseconds. */
  let until: number | undefined;

  function forget(): void {
    timer.cancel();
    until = undefined;
  }

  function change(now: LogLevel, fields: Readonly<Record<string, unknown>>): void {
    const before = log.level();
    const tell = (): void => log.logger.info({ now, before, ...fields }, 'the level of the log changed');
    // Told while it is still, or already, told.
    if (now === 'info' || now === 'debug') {
      log.setLevel(now);
      tell();
    } else {
      tell();
      log.setLevel(now);
    }
  }

  function status(): LogStatus {
    return { level: log.level(), config_level: configured(), until: apiTime(until) };
  }

  return {
    set(level, forMs) {
      forget();
      if (level !== undefined && forMs !== undefined) {
        until = clock.wall() + forMs;
        timer.within(forMs);
      }
      change(level ?? configured(), { until: apiTime(until) });
      return status();
    },
    reloaded: forget,
    status,
    close: forget,
  };
}
