import t from 'tap';
import { type AuditEntry, encodeCaller } from '../../../src/audit/audit-line.ts';
import { createSilentAudit } from '../../../src/audit/audit-log.ts';
import { type LogFields, silentLogger } from '../../../src/base/logger.ts';
import { withDenialLog } from '../../../src/server/http/denial-log.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function setUp() {
  const lines: LogFields[] = [];
  const clock = createFakeClock();
  const logger = { ...silentLogger, warn: (fields: LogFields) => lines.push(fields) };
  const audit = withDenialLog(createSilentAudit(), { clock, logger });
  let recorded = 0;
  const ask = (uid: number, pid: number, isAllowed = false) => {
    const entry: AuditEntry = {
      caller: encodeCaller({ uid, gid: uid, pid }),
      listener: 'listeners[0]',
      dialect: 'vault',
      method: 'GET',
      path: '/v1/auth/token/lookup/TOKEN',
      isAllowed,
      reason: 'no rule matches',
      status: isAllowed ? 200 : 403,
      latencyUs: 1,
    };
    audit.append(entry, { recorded: () => (recorded += 1) });
  };
  return { lines, clock, ask, recorded: () => recorded };
}

t.test('logs who was refused and why, without the path, and records it as before', async (t) => {
  const { lines, ask, recorded } = setUp();
  ask(1000, 7);
  ask(0, 8, true);
  t.match(lines, [{ caller: { uid: 1000, pid: 7 }, dialect: 'vault', reason: 'no rule matches' }]);
  t.equal(lines.length, 1);
  t.notMatch(JSON.stringify(lines), /TOKEN/);
  t.equal(recorded(), 2);
});

t.test('a user who asks in a loop gets a line every ten seconds, with how many there were', async (t) => {
  const { lines, clock, ask } = setUp();
  for (let pid = 1; pid <= 100; pid++) ask(1000, pid);
  ask(2000, 1);
  t.equal(lines.length, 2, 'one for each user');
  await clock.advance(10_000);
  ask(1000, 101);
  t.match(lines[2], { caller: { uid: 1000, pid: 101 }, more_before: 99 });
});
