import { closeSync, mkdirSync, openSync } from 'node:fs';
import t from 'tap';
import { describeError, errorCode, LatchkeyError } from '../../src/base/errors.ts';

t.test('a message ends with what helps', (t) => {
  const error = new LatchkeyError('denied', 'no rule matches', { remedy: 'add one' });
  t.equal(describeError(error), 'no rule matches; add one');
  t.equal(errorCode(error), 'denied');
  t.equal(errorCode(new Error('x')), 'internal');
  t.equal(describeError('text'), 'text');
  t.end();
});

t.test('a part that an upgrade has taken away is told with what helps', async (t) => {
  const gone = './no-such-part.ts';
  const error: unknown = await import(gone).catch((reason: unknown) => reason);
  t.match(describeError(error), /replaced or removed while this one runs; restart it$/);
});

t.test('a path by a descriptor is not told: it leads nowhere but here', async (t) => {
  const fd = openSync(t.testdir(), 'r');
  t.teardown(() => closeSync(fd));
  for (const [path, told] of [
    [`/proc/self/fd/${fd}/a/b`, 'ENOENT'],
    ['/nowhere/a', "ENOENT: no such file or directory, mkdir '/nowhere/a'"],
  ] as const) {
    try {
      mkdirSync(path);
      t.fail('it was made');
    } catch (error) {
      t.equal(describeError(error), told);
    }
  }
});
