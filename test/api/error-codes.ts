import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { errorCodes, isErrorCode } from '../../src/api/error-codes.ts';

const root = resolve(import.meta.dirname, '../..');
const page = (name: string) => readFileSync(`${root}/docs/reference/${name}.md`, 'utf8');
const codesOf = (cell: string) => [...cell.matchAll(/`([a-z_]+)`/g)].map((match) => match[1] ?? '');

t.test('errors.md lists every code with its exit code, and none that is gone', (t) => {
  const rows = [...page('errors').matchAll(/^\| `([a-z_]+)` \|.*\| (\d) \|$/gm)];
  const listed = rows.map(([, code = '', exit]) => [code, Number(exit)]);
  const expected = Object.entries(errorCodes).map(([code, { exit }]) => [code, exit]);
  t.ok(expected.length > 30);
  t.strictSame(Object.fromEntries(listed), Object.fromEntries(expected));
  t.equal(listed.length, expected.length, 'none twice');
  t.end();
});

t.test('local-api.md lists every code with its status, and none that is gone', (t) => {
  const rows = [...page('local-api').matchAll(/^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| (\d{3}) \|/gm)];
  const listed = rows.flatMap(([, cell = '', status]) => codesOf(cell).map((code) => [code, Number(status)]));
  const expected = Object.entries(errorCodes).map(([code, { status }]) => [code, status]);
  t.strictSame(Object.fromEntries(listed), Object.fromEntries(expected));
  t.equal(listed.length, expected.length, 'none twice');
  t.end();
});

t.test('a word from elsewhere is a code only when it is in the table', (t) => {
  t.ok(isErrorCode('denied'));
  for (const word of ['', 'nope', 'toString', '__proto__']) t.notOk(isErrorCode(word), word);
  t.end();
});
