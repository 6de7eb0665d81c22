import t from 'tap';
import { backoffDelayMs } from '../../../src/base/time/backoff.ts';
import { defaultRetryLimits, retryKind } from '../../../src/files/transaction/retry-policy.ts';

t.test('each failed step has its own patience', (t) => {
  t.equal(retryKind('stage', false), 'file');
  t.equal(retryKind('commit', false), 'file');
  t.equal(retryKind('check', false), 'check');
  t.equal(retryKind('notify', false), 'notify');
  t.equal(retryKind('settle', false), 'notify');
  t.equal(retryKind('settle', true), 'rollback');
  t.end();
});

t.test('waits longer each time, up to the cap', (t) => {
  const delays = [1, 2, 3, 20].map((attempt) => backoffDelayMs(attempt, defaultRetryLimits.file, () => 1));
  t.strictSame(delays, [1000, 2000, 4000, 60_000]);
  t.end();
});
