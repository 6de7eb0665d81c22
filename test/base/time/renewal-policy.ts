import t from 'tap';
import { isExhausted, renewDelayMs } from '../../../src/base/time/renewal-policy.ts';

const minute = 60_000;
const hour = 60 * minute;

t.test('tells what is at its longest life from a shortened TTL', async (t) => {
  const renewal = { isRenewable: true, askedMs: hour, grantedMs: hour, movedMs: 40 * minute };
  t.equal(isExhausted(renewal), false);
  t.equal(isExhausted({ ...renewal, isRenewable: false }), true);
  t.equal(isExhausted({ ...renewal, grantedMs: 20 * minute, movedMs: 0 }), true);
  t.equal(isExhausted({ ...renewal, grantedMs: 20 * minute, movedMs: -900 }), true, 'whole seconds');
  t.equal(
    isExhausted({ ...renewal, grantedMs: 30 * minute, movedMs: 10 * minute }),
    false,
    'less, but it moved',
  );
  t.equal(isExhausted({ ...renewal, grantedMs: 5 * minute, movedMs: -15 * minute }), false, 'shortened');
  t.equal(isExhausted({ ...renewal, movedMs: 500 }), false, 'asked twice in a row');
});

t.test('the same for a short life', async (t) => {
  const renewal = { isRenewable: true, askedMs: 10_000, grantedMs: 3000, movedMs: 0 };
  t.equal(isExhausted(renewal), true);
  t.equal(isExhausted({ ...renewal, grantedMs: 9500, movedMs: 500 }), false, 'whole seconds');
});

t.test('renews at two thirds, spread by a tenth', async (t) => {
  t.equal(
    renewDelayMs(30_000, () => 0),
    18_000,
  );
  t.equal(Math.round(renewDelayMs(30_000, () => 1)), 22_000);
  t.equal(
    renewDelayMs(-5, () => 0.5),
    0,
  );
});
