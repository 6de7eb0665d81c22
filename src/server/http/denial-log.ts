// Refused callers in the agent's log, for operators who keep no audit trail: a line for each user, and how often since
// the last one. Every single refusal is in the audit file and in the metrics.
import type { AuditCaller, AuditEntry } from '../../audit/audit-line.ts';
import type { AuditLog } from '../../audit/audit-log.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { Logger } from '../../base/logger.ts';
import type { Clock } from '../../base/time/clock.ts';

/** A user who asks in a loop must not fill the log. */
const quietMs = 10_000;
const maxUsers = 1024;
const longestName = 256;

/** The same audit trail; what it is told of a refusal is logged too. */
export function withDenialLog(audit: AuditLog, options: { clock: Clock; logger: Logger }): AuditLog {
  const { clock, logger } = options;
  const users = new BoundedMap<string, { loggedAt: number; unsaid: number }>(maxUsers);

  function log(entry: AuditEntry): void {
    const caller = JSON.parse(entry.caller) as AuditCaller;
    const user = String(caller.uid ?? caller.token ?? caller.unknown);
    const known = users.get(user);
    const now = clock.now();
    if (known !== undefined && now < known.loggedAt + quietMs) {
      known.unsaid += 1;
      return;
    }
    users.set(user, { loggedAt: now, unsaid: 0 });
    const { listener, dialect, name, reason } = entry;
    const more = known === undefined || known.unsaid === 0 ? {} : { more_before: known.unsaid };
    // Not the path: a Vault client's may hold a token.
    const secret = name?.slice(0, longestName);
    logger.warn({ listener, caller, dialect, secret, reason, ...more }, 'refused a caller');
  }

  return {
    ...audit,
    append(entry, recipient) {
      if (!entry.isAllowed) log(entry);
      audit.append(entry, recipient);
    },
  };
}
