import t from 'tap';
import { leadMs } from '../../../../src/lease/schedule-policy.ts';
import {
  planToken,
  renewedLife,
  type TokenLife,
} from '../../../../src/upstream/vault/session/token-policy.ts';

const hour = 3_600_000;
const life: TokenLife = { expiresAt: hour, periodMs: hour, isRenewable: true, isCapped: false, failures: 0 };
const [low, high] = [() => 0, () => 0.999];

t.test('renews at about two thirds of what remains, spread by chance', async (t) => {
  t.match(planToken(life, 0, low), { action: 'renew', at: 0.6 * hour });
  const late = planToken(life, 0, high);
  t.ok(late.at > 0.7 * hour && late.at < 0.74 * hour);
});

t.test(
  'replaces a token that cannot be renewed before the leases that end with it are replaced',
  async (t) => {
    for (const periodMs of [8000, 60_000, hour, 24 * hour]) {
      for (const over of [{ isRenewable: false }, { isCapped: true }]) {
        const ending = { ...life, expiresAt: periodMs, periodMs, ...over };
        t.match(planToken(ending, 0, low), { action: 'replace', at: 0.6 * periodMs });
        t.ok(planToken(ending, 0, high).at < periodMs - leadMs(periodMs, 0.999));
      }
    }
  },
);

t.test('tries a failed renewal again with backoff, and gives up in the last tenth', async (t) => {
  const failed = { ...life, failures: 2 };
  const plan = planToken(failed, 0.7 * hour, high);
  t.equal(plan.action, 'renew');
  t.ok(plan.at > 0.7 * hour && plan.at <= 0.7 * hour + 2000);
  t.match(planToken(failed, 0.91 * hour, low), { action: 'replace', at: 0.91 * hour });
});

t.test('leaves a token without an end alone', async (t) => {
  t.equal(planToken({ ...life, expiresAt: Number.POSITIVE_INFINITY }, 0, low).action, 'none');
});

t.test('takes a renewal that grants less for the max TTL', async (t) => {
  const capped = renewedLife(life, hour / 2, true, 1000);
  t.match(capped, { expiresAt: 1000 + hour / 2, isCapped: true, failures: 0 });
  t.match(renewedLife({ ...life, failures: 3 }, hour, true, 1000), { isCapped: false, failures: 0 });
  t.equal(renewedLife(life, 0, true, 1000).expiresAt, Number.POSITIVE_INFINITY);
});
