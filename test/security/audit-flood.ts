// Refusals cost the audit trail next to nothing, whoever makes how many of them with whatever names.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { auditFilesOf } from '../../src/audit/audit-file.ts';
import { type AuditEntry, encodeCaller } from '../../src/audit/audit-line.ts';
import { createAuditLog } from '../../src/audit/audit-log.ts';
import { refusalFileOf } from '../../src/audit/refusal-trail.ts';
import { verifyAudit } from '../../src/audit/verify-audit.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const settings = (file: string, more: object = {}) =>
  ({ file, onFailure: 'deny', maxBytes: 1024 * 1024, keepFiles: 2, ...more }) as const;

function entryOf(uid: number, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    caller: encodeCaller({ uid, gid: uid, pid: 7 }),
    listener: 'listeners[0]',
    dialect: 'secrets',
    method: 'GET',
    isAllowed: false,
    reason: 'no rule matches the caller',
    status: 403,
    latencyUs: 12,
    ...more,
  };
}

const hostile = '\u0001'.repeat(4000);
const linesOf = (files: string[]) =>
  files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { event: string; count?: number; name?: string; caller?: { uid: number } },
      ),
  );

t.test('a million refusals push nothing out, keep to their quota, and are all counted', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const clock = createFakeClock();
  const audit = createAuditLog({ settings: settings(file), clock, logger: silentLogger });
  let told = 0;
  const recipient = { recorded: (failure: unknown) => (told += failure === undefined ? 1 : 0) };
  audit.append(entryOf(0, { isAllowed: true, reason: 'root', status: 200, name: 'stripe' }), recipient);
  await clock.settle(); // a line is written with its turn
  const before = statSync(file).size;
  const rounds = 100;
  for (let round = 0; round < rounds; round += 1) {
    for (let count = 0; count < 10_000; count += 1) {
      audit.append(
        entryOf(61_000 + (count % 5), { name: hostile, field: hostile, listener: 'listeners[1]' }),
        recipient,
      );
    }
    await clock.advance(1000);
  }
  t.equal(told, rounds * 10_000 + 1, 'nobody waited for a line');
  t.equal(statSync(file).size, before, 'the audit file has not grown');
  audit.close();
  const denied = auditFilesOf(refusalFileOf(file));
  const lines = linesOf(denied).filter(({ event }) => event === 'request');
  t.equal(
    lines.reduce((sum, { count = 1 }) => sum + count, 0),
    rounds * 10_000,
  );
  t.ok(lines.length <= 5 * (rounds + 2), `${lines.length} lines: one a second for each caller`);
  t.ok(
    lines.every((line) => JSON.stringify(line).length < 1500),
    'however long the names',
  );
  const size = readdirSync(dirname(file)).reduce(
    (sum, name) => sum + statSync(join(dirname(file), name)).size,
    0,
  );
  t.ok(size < before + 3 * 140_000, `${size} bytes in all`);
  t.match(await verifyAudit(auditFilesOf(file)), { isIntact: true, firstSeq: 1 });
  t.match(await verifyAudit(denied), { isIntact: true });
});

t.test('callers in greater numbers than are counted apart are counted together', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const clock = createFakeClock();
  const audit = createAuditLog({ settings: settings(file), clock, logger: silentLogger });
  for (let uid = 0; uid < 20_000; uid += 1) audit.append(entryOf(uid), { recorded: () => undefined });
  await clock.advance(1000);
  audit.close();
  const lines = linesOf(auditFilesOf(refusalFileOf(file))).filter(({ event }) => event === 'request');
  t.ok(lines.length < 300, `${lines.length} lines`);
  t.equal(
    lines.reduce((sum, { count = 1 }) => sum + count, 0),
    20_000,
  );
});

t.test('two agents do not write one file: the second is told who does', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const clock = createSystemClock();
  const first = createAuditLog({ settings: settings(file), clock, logger: silentLogger });
  const second = createAuditLog({ settings: settings(file), clock, logger: silentLogger });
  t.match(second.status(), { state: 'failing', error: /is written by another process \(pid \d+\)/ });
  t.match(second.status().error, String(process.pid));
  const failure = await new Promise((recorded) =>
    second.append(entryOf(0, { isAllowed: true }), { recorded }),
  );
  t.match(failure, { code: 'audit_failed' });
  await new Promise((recorded) => first.append(entryOf(0, { isAllowed: true }), { recorded }));
  first.close();
  second.close();
  t.match(await verifyAudit([file]), { isIntact: true, endsOrderly: true });
});
