import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { refusalFileOf } from '../../../src/audit/refusal-trail.ts';
import { createAccessLog } from '../../../src/cli/demo/access-log.ts';
import { testFolder } from '../../support/test-folder.ts';

const at = (second: number): string => new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString();

function line(second: number, over: Record<string, unknown> = {}): string {
  const caller = { uid: 1000, gid: 1000, pid: second, exe: '/usr/bin/psql' };
  return `${JSON.stringify({ event: 'request', time: at(second), caller, name: 'stripe', version: 1, allowed: true, reason: 'r', ...over })}\n`;
}

t.test('what was asked since the last action is whole, however much and however long', (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  let second = 0;
  const log = createAccessLog(file, () => at(second));
  log.look();
  t.strictSame(log.view()[0]?.rows, [], 'no file yet');
  writeFileSync(file, line(1) + line(2));
  log.look();
  second = 10;
  log.begin('rotated');
  for (let round = 0; round < 20; round += 1) {
    const answers = Array.from({ length: 500 }, (_, one) =>
      line(11 + round * 2 + (one % 2), { version: round < 5 ? 1 : 2 }),
    );
    appendFileSync(file, answers.join(''));
    log.look();
  }
  t.strictSame(
    log
      .view()
      .map(({ title, rows }) => [
        title,
        ...rows.map(({ what, count, since, time }) => [what, count, since, time]),
      ]),
    [
      ['rotated', ['stripe, version 2', 7500, at(21), at(50)], ['stripe, version 1', 2500, at(11), at(20)]],
      ['Since the start', ['stripe, version 1', 2, at(1), at(2)]],
    ],
  );
  t.end();
});

t.test(
  'half a line waits for its rest, refusals are in their order, a file that is begun again is read again',
  (t) => {
    const file = join(testFolder(t), 'audit.jsonl');
    const log = createAccessLog(file, () => at(0));
    const whole = line(1);
    writeFileSync(file, whole.slice(0, 20));
    log.look();
    appendFileSync(file, whole.slice(20) + line(2, { caller: { token: 'listeners[1]' } }));
    writeFileSync(
      refusalFileOf(file),
      line(3, { allowed: false, reason: 'no rule', version: undefined, count: 7 }),
    );
    log.look();
    t.match(log.view()[0]?.rows, [
      { who: 'uid 1000, psql', what: 'stripe', isAllowed: false, count: 7 },
      { who: 'refund-worker, by its token', isAllowed: true },
      { who: 'uid 1000, psql', what: 'stripe, version 1', count: 1 },
    ]);
    writeFileSync(file, line(4));
    log.look();
    t.match(log.view()[0]?.rows[0], { time: at(4), count: 2 });
    t.end();
  },
);

t.test('it stays small, whoever asks', (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  let second = 0;
  const log = createAccessLog(file, () => at(second));
  writeFileSync(file, Array.from({ length: 1000 }, (_, uid) => line(1, { caller: { uid } })).join(''));
  log.look();
  for (second = 1; second < 50; second += 1) log.begin(`action ${second}`);
  const chapters = log.view();
  t.equal(chapters.length, 4);
  t.equal(chapters[0]?.title, 'action 49');
  appendFileSync(file, Array.from({ length: 100 }, (_, uid) => line(59, { caller: { uid } })).join(''));
  log.look();
  t.match(log.view()[0], { others: 70 });
  t.equal(log.view()[0]?.rows.length, 30);
  t.end();
});
