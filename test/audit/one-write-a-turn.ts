// What arrives in one turn of the event loop is recorded with one write, and no answer goes before it.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { encodeCaller } from '../../src/audit/audit-line.ts';
import { type AuditLog, createAuditLog } from '../../src/audit/audit-log.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';

const entry = {
  ...{ caller: encodeCaller({ uid: 1000, pid: 7 }), listener: 'listeners[0]', dialect: 'secrets' },
  ...{ method: 'GET', name: 'stripe', isAllowed: true, reason: 'rule billing', status: 200, latencyUs: 12 },
} as const;

/** The writes of this process from now on, as texts; `fail` makes the next one fail. */
function watchWrites(t: Test) {
  const { writeSync } = fs;
  const writes: string[] = [];
  let failure: Error | undefined;
  fs.writeSync = ((fd: number, text: string) => {
    if (failure !== undefined) throw failure;
    writes.push(text);
    return writeSync(fd, text);
  }) as typeof fs.writeSync;
  syncBuiltinESMExports();
  t.teardown(() => {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  });
  return { writes, fail: (error: Error | undefined) => (failure = error) };
}

function openLog(t: Test): AuditLog {
  const settings = {
    file: join(t.testdir(), 'audit.jsonl'),
    onFailure: 'deny',
    maxBytes: 0,
    keepFiles: 0,
  } as const;
  const audit = createAuditLog({ settings, clock: createSystemClock(), logger: silentLogger });
  t.teardown(() => audit.close());
  return audit;
}

t.test('one write for all answers of a turn, whatever came in the turns before', async (t) => {
  const audit = openLog(t);
  const { writes } = watchWrites(t);
  for (const count of [1, 1, 32, 1, 100, 2, 1]) {
    writes.length = 0;
    const seen: number[] = [];
    for (let index = 0; index < count; index += 1)
      audit.append(entry, { recorded: () => seen.push(writes.length) });
    t.same(seen, [], 'no answer before its line');
    await nextTurn();
    t.equal(writes.length, 1, `${count} answers`);
    t.equal(writes[0]?.trimEnd().split('\n').length, count, 'with all of their lines');
    t.same(
      seen,
      Array.from({ length: count }, () => 1),
      'and then all of them',
    );
  }
});

t.test('where the write fails none of its answers goes', async (t) => {
  const audit = openLog(t);
  const { fail } = watchWrites(t);
  fail(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
  const codes: (string | undefined)[] = [];
  for (let index = 0; index < 8; index += 1)
    audit.append(entry, { recorded: (error) => codes.push(error?.code) });
  await nextTurn();
  t.same(
    codes,
    Array.from({ length: 8 }, () => 'audit_failed'),
  );
  fail(undefined);
});
