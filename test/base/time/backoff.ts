import t from 'tap';
import { backoffDelayMs } from '../../../src/base/time/backoff.ts';

const limits = { minMs: 1000, maxMs: 60_000 };

t.test('doubles from min to max and stays between half and all of it', (t) => {
  t.equal(
    backoffDelayMs(1, limits, () => 0),
    500,
  );
  t.equal(
    backoffDelayMs(1, limits, () => 0.999999),
    1000,
  );
  t.equal(
    backoffDelayMs(4, limits, () => 0),
    4000,
  );
  t.equal(
    backoffDelayMs(100, limits, () => 0),
    30_000,
  );
  t.equal(
    backoffDelayMs(1_000_000, limits, () => 0.999999),
    60_000,
  );
  t.end();
});
