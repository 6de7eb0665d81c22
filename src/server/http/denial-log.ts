// Refused callers in the agent's log, for operators who keep no audit trail: told apart by their user alone, since one who
// tries names is one caller. Every single refusal is in the audit file and in the metrics.
import type { AuditCaller, AuditEntry } from '../../audit/audit-line.ts';
import type { AuditLog } from '../../audit/audit-log.ts';
import { createRepeats } from '../../base/log/log-repeats.ts';
import type { LogFields, Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';

/** A user may have thousands of uids (subuid(5)): so many are told one by one in a minute. */
const mostUsers = 50;
const longestName = 256;

/** The same audit trail; what it is told of a refusal is logged too. */
export function withDenialLog(audit: AuditLog, options: { clock?: Clock; logger: Logger }): AuditLog {
  const { clock, logger } = options;
  const repeats = createRepeats<LogFields>({
    few: 1,
    most: mostUsers,
    tell: (fields, repeated) => logger.warn({ ...fields, repeated }, 'refused a caller'),
    tellOthers: (repeated) =>
      logger.warn({ repeated }, 'refused callers of more users than are told one by one'),
    ...(clock === undefined ? {} : { clock }),
  });

  function log(entry: AuditEntry): void {
    const caller = JSON.parse(entry.caller) as AuditCaller;
    const user = caller.uid === undefined ? (caller.token ?? 'unknown') : `uid ${caller.uid}`;
    const { listener, dialect, name, reason } = entry;
    // Not the path: a Vault client's may hold a token.
    const fields = { listener, caller, dialect, secret: name?.slice(0, longestName), reason };
    if (repeats.isWorthTelling(user, fields)) logger.warn(fields, 'refused a caller');
  }

  return {
    ...audit,
    append(entry, recipient) {
      if (!entry.isAllowed) log(entry);
      audit.append(entry, recipient);
    },
  };
}
