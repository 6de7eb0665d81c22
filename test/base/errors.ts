import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { describeError, errorCode, LatchkeyError } from '../../src/base/errors.ts';

const root = resolve(import.meta.dirname, '../..');

t.test('the reference page lists every code, and none that is gone', (t) => {
  const source = readFileSync(`${root}/src/base/errors.ts`, 'utf8');
  const start = source.indexOf('export type ErrorCode');
  const union = source.slice(start, source.indexOf(';', start));
  const codes = [...union.matchAll(/'([a-z_]+)'/g)].map((match) => match[1]);
  const page = readFileSync(`${root}/docs/reference/errors.md`, 'utf8');
  const listed = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1]);
  t.ok(codes.length > 20);
  t.strictSame(listed.toSorted(), codes.toSorted());
  t.end();
});

t.test('a message ends with what helps', (t) => {
  const error = new LatchkeyError('denied', 'no rule matches', { remedy: 'add one' });
  t.equal(describeError(error), 'no rule matches; add one');
  t.equal(errorCode(error), 'denied');
  t.equal(errorCode(new Error('x')), 'internal');
  t.equal(describeError('text'), 'text');
  t.end();
});
