import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lastAuditRecords } from '../../../src/agent/offline/last-audit-records.ts';
import { refusalFileOf } from '../../../src/audit/refusal-trail.ts';
import { mkfifo } from '../../../src/base/system/libc.ts';
import { testFolder } from '../../support/test-folder.ts';

function lineOf(time: string, name: string): string {
  return `${JSON.stringify({ time, event: 'request', name, allowed: true, reason: 'rule', caller: {} })}\n`;
}

t.test('the last of both files come newest first, from the end of a long one', (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  const old = Array.from({ length: 2000 }, (_, index) => lineOf('2026-01-01T00:00:00Z', `old-${index}`));
  writeFileSync(file, [...old, lineOf('2026-01-02T00:00:00Z', 'first')].join(''));
  writeFileSync(refusalFileOf(file), lineOf('2026-01-03T00:00:00Z', 'refused'));
  const names = lastAuditRecords(file, 3).map(({ name }) => name);
  t.strictSame(names.slice(0, 2), ['refused', 'first']);
  t.match(names[2], /^old-/);
  const all = lastAuditRecords(file, 5000);
  t.equal(all.length, 2002);
  t.end();
});

t.test('what is wanted is looked for further back, within bounds', (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  const looks = Array.from({ length: 12_000 }, (_, index) => lineOf('2026-01-02T00:00:00Z', `look-${index}`));
  writeFileSync(file, [lineOf('2026-01-01T00:00:00Z', 'wanted'), ...looks].join(''));
  const names = (most: number, start: string) =>
    lastAuditRecords(file, most, ({ name = '' }) => name.startsWith(start)).map(({ name }) => name);
  t.strictSame(names(3, 'wanted'), ['wanted']);
  t.strictSame(names(1, 'look-7').length, 1);
  const all = names(20_000, 'look-');
  t.equal(new Set(all).size, 12_000, 'each line is there once, wherever a piece ends');
  writeFileSync(file, [lineOf('2026-01-01T00:00:00Z', 'wanted'), ...looks, ...looks].join(''));
  t.strictSame(names(3, 'wanted'), [], 'of a file without end only so much is read');
  t.end();
});

t.test('nobody may have been refused yet', (t) => {
  const file = join(testFolder(t), 'audit.jsonl');
  writeFileSync(file, lineOf('2026-01-02T00:00:00Z', 'one'));
  t.match(lastAuditRecords(file, 5), [{ name: 'one' }]);
  t.throws(() => lastAuditRecords(`${file}.none`, 5), { code: 'ENOENT' });
  t.end();
});

for (const place of ['the file', 'the file of the refusals'])
  t.test(`a pipe in the place of ${place} keeps nobody waiting`, (t) => {
    const file = join(testFolder(t), 'audit.jsonl');
    const pipe = place === 'the file' ? file : refusalFileOf(file);
    if (pipe !== file) writeFileSync(file, lineOf('2026-01-02T00:00:00Z', 'one'));
    t.equal(mkfifo(pipe, 0o600), 0);
    t.throws(() => lastAuditRecords(file, 5), { message: `${pipe} is no regular file` });
    t.end();
  });
