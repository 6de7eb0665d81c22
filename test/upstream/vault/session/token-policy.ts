import t from 'tap';
import { leadMs } from '../../../../src/lease/track/schedule-policy.ts';
import {
  planToken,
  renewedLife,
  type TokenLife,
} from '../../../../src/upstream/vault/session/token-policy.ts';
import { createSeededRandom } from '../../../support/seeded-random.ts';

const hour = 3_600_000;
const life: TokenLife = {
  expiresAt: hour,
  confirmedAt: 0,
  periodMs: hour,
  isRenewable: true,
  isCapped: false,
  failures: 0,
};
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
  const capped = renewedLife(life, hour / 2, true, hour / 2);
  t.match(capped, { expiresAt: hour, isCapped: true, failures: 0 });
  t.match(
    renewedLife(life, hour / 2, true, 0.7 * hour),
    { expiresAt: 1.2 * hour, isCapped: false },
    'its end moved',
  );
  t.match(renewedLife({ ...life, failures: 3 }, hour, true, 1000), { isCapped: false, failures: 0 });
  t.equal(renewedLife(life, 0, true, 1000).expiresAt, Number.POSITIVE_INFINITY);
});

/** The token's life as the vault and the keeper make it; gives its end and when its successor is asked for. */
function simulate(ttlMs: number, maxMs: number, random: () => number) {
  let now = 0;
  let token: TokenLife = {
    expiresAt: Math.min(ttlMs, maxMs),
    confirmedAt: 0,
    periodMs: Math.min(ttlMs, maxMs),
    isRenewable: true,
    isCapped: false,
    failures: 0,
  };
  for (;;) {
    const plan = planToken(token, now, random);
    now = plan.at;
    if (plan.action === 'replace') return { at: now, endsAt: token.expiresAt };
    token = renewedLife(token, Math.floor(Math.min(ttlMs, maxMs - now) / 1000) * 1000, true, now);
  }
}

t.test('whatever its lives, a token is replaced with time left to hand its leases over', async (t) => {
  const random = createSeededRandom(5);
  for (let round = 0; round < 2000; round += 1) {
    const ttlMs = 10_000 + Math.floor(random() * 60) * 1000;
    const maxMs = ttlMs + Math.floor(random() * 200) * 1000;
    const { at, endsAt } = simulate(ttlMs, maxMs, random);
    t.ok(endsAt - at >= 2000, `ttl ${ttlMs}, max ${maxMs}: ${endsAt - at} ms left`);
    if (endsAt - at < 2000) break;
  }
});
