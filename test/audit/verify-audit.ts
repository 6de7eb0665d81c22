import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeCaller, lineHash } from '../../src/audit/audit-line.ts';
import { createAuditLog } from '../../src/audit/audit-log.ts';
import { verifyAudit } from '../../src/audit/verify-audit.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { createSystemClock } from '../../src/base/time/clock.ts';

/** Ten lines: opened, started, seven requests, stopped. */
async function tenLines(
  file: string,
): Promise<{ lines: string[]; head: { seq: number; hash: string | null } }> {
  const settings = { file, onFailure: 'deny', maxBytes: 0, keepFiles: 0 } as const;
  const audit = createAuditLog({ settings, clock: createSystemClock(), logger: silentLogger });
  for (const status of [200, 403, 200, 404, 200, 503, 200]) {
    const common = { caller: encodeCaller({ uid: 1 }), listener: 'l', dialect: 'secrets', method: 'GET' };
    await new Promise<unknown>((recorded) =>
      audit.append(
        { ...common, name: 'n', isAllowed: true, reason: 'r', status, latencyUs: 1 },
        { recorded },
      ),
    );
  }
  audit.close();
  const { seq, hash } = audit.status();
  return { lines: readFileSync(file, 'utf8').trimEnd().split('\n'), head: { seq, hash } };
}

/** A whole chain again, of other lines. */
function rechained(file: string, lines: readonly string[]): string {
  let prev = 'null';
  const chained = lines.map((line) => {
    const next = line.replace(/"prev":.*$/, `"prev":${prev}}`);
    prev = JSON.stringify(lineHash(next));
    return `${next}\n`;
  });
  writeFileSync(file, chained.join(''));
  return file;
}

const tampered: [string, (lines: string[]) => string[], { line: number; what: RegExp }[]][] = [
  ['nothing', (lines) => lines, []],
  [
    'a changed line',
    (lines) => lines.with(3, (lines[3] ?? '').replace('"status":403', '"status":200')),
    [{ line: 5, what: /the line before \(seq 4\) was changed/ }],
  ],
  [
    'one changed byte',
    (lines) => lines.with(4, (lines[4] ?? '').replace('"l"', '"L"')),
    [{ line: 6, what: /was changed/ }],
  ],
  [
    'a removed line',
    (lines) => lines.toSpliced(3, 1),
    [{ line: 4, what: /1 line is missing before this one/ }],
  ],
  ['three removed lines', (lines) => lines.toSpliced(2, 3), [{ line: 3, what: /3 lines are missing/ }]],
  [
    'two lines that changed places',
    (lines) => lines.with(3, lines[4] ?? '').with(4, lines[3] ?? ''),
    [
      { line: 4, what: /1 line is missing/ },
      { line: 5, what: /out of order: expected seq 6, got 4/ },
      { line: 6, what: /1 line is missing/ },
    ],
  ],
  [
    'a line told twice',
    (lines) => lines.toSpliced(5, 0, lines[4] ?? ''),
    [{ line: 6, what: /out of order/ }],
  ],
  [
    'a line made up and numbered in',
    (lines) => lines.with(6, `{"seq":7,"prev":"${'A'.repeat(43)}"}`),
    [
      { line: 7, what: /was changed/ },
      { line: 8, what: /was changed/ },
    ],
  ],
  [
    'a line that is none',
    (lines) => lines.with(2, 'rubbish'),
    [
      { line: 3, what: /not an audit line/ },
      { line: 4, what: /was changed/ },
    ],
  ],
  [
    'removed first lines',
    (lines) => lines.slice(2),
    [{ line: 1, what: /lines before this one \(seq 3\) were removed/ }],
  ],
];

for (const [name, tamper, problems] of tampered) {
  t.test(`finds ${name}`, async (t) => {
    const file = join(t.testdir(), 'audit.jsonl');
    const { lines } = await tenLines(file);
    t.equal(lines.length, 10);
    writeFileSync(file, `${tamper(lines).join('\n')}\n`);
    const verified = await verifyAudit([file]);
    t.equal(verified.isIntact, problems.length === 0);
    t.match(verified.problems, problems);
    t.equal(verified.problems.length, problems.length);
    t.equal(verified.firstSeq, name === 'removed first lines' ? 3 : 1);
  });
}

t.test('finds lines that were cut off the end, by the head that the agent tells', async (t) => {
  const file = join(t.testdir(), 'audit.jsonl');
  const { lines, head } = await tenLines(file);
  t.ok((await verifyAudit([file], head)).isIntact);
  writeFileSync(file, `${lines.slice(0, 7).join('\n')}\n`);
  t.match(await verifyAudit([file]), { isIntact: true, endsOrderly: false });
  t.match((await verifyAudit([file], head)).problems, [{ what: '3 lines are missing at the end' }]);
  writeFileSync(file, `${lines.with(9, (lines[9] ?? '').replace('stopped', 'STOPPED')).join('\n')}\n`);
  t.match((await verifyAudit([file], head)).problems, [
    { what: 'not the line that the agent wrote as seq 10' },
  ]);
  const made = lines.map((line) => line.replace('"l"', '"L"'));
  t.match(
    (await verifyAudit([rechained(file, made)], { ...head, seq: 9 })).problems,
    [{ line: 9 }],
    'a chain made up again',
  );
});

t.test('finds a removed file between others', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'audit.jsonl');
  const { lines } = await tenLines(file);
  const parts = [lines.slice(0, 3), lines.slice(3, 6), lines.slice(6)].map((part, index) => {
    const path = join(folder, `part${index}`);
    writeFileSync(path, `${part.join('\n')}\n`);
    return path;
  });
  t.ok((await verifyAudit(parts)).isIntact);
  const [first = '', , last = ''] = parts;
  t.match((await verifyAudit([first, last])).problems, [
    { file: last, line: 1, what: /3 lines are missing/ },
  ]);
});

t.test('an empty trail is intact', async (t) => {
  const file = join(t.testdir({ empty: '' }), 'empty');
  t.match(await verifyAudit([file]), { isIntact: true, lines: 0, head: { seq: 0, hash: null } });
  await t.rejects(verifyAudit(['/nonexistent/audit.jsonl']), { code: 'not_found' });
});
