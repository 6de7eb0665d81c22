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

t.test(
  'a user who asks in a loop is told once, then once a minute with the number; ten have their own lines',
  async (t) => {
    const { lines, clock, ask } = setUp();
    const uids = Array.from({ length: 10 }, (_, index) => 1000 + index);
    for (let pid = 1; pid <= 100; pid++) for (const uid of uids) ask(uid, pid);
    t.equal(lines.length, 10);
    await clock.advance(60_000);
    t.strictSame(
      lines.slice(10).map(({ caller, repeated }) => [(caller as { uid: number }).uid, repeated]),
      uids.map((uid) => [uid, 99]),
    );
    ask(1000, 101);
    t.match(lines.at(-1), { caller: { uid: 1000, pid: 101 }, repeated: undefined });
  },
);

t.test('somebody with thousands of uids gets no thousands of lines', async (t) => {
  const { lines, clock, ask } = setUp();
  for (let uid = 100_000; uid < 165_536; uid++) ask(uid, uid);
  t.equal(lines.length, 50);
  await clock.advance(60_000);
  t.strictSame(lines.slice(50), [{ repeated: 65_486 }]);
  ask(7, 1);
  t.match(lines.at(-1), { caller: { uid: 7 } }, 'the next minute has room again');
});
