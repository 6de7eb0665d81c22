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
