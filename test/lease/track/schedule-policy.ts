import t from 'tap';
import { LatchkeyError } from '../../../src/base/errors.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import { addFailure } from '../../../src/lease/track/failure-policy.ts';
import {
  chooseRequest,
  defaultScheduleLimits,
  leadMs,
  mintFloorMs,
  planAfterRecovery,
  planNext,
} from '../../../src/lease/track/schedule-policy.ts';
import type { SecretView, ValueView } from '../../../src/lease/track/secret-view.ts';
import { createSeededRandom } from '../../support/seeded-random.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const now = 100 * hour;
const limits = defaultScheduleLimits;
const lots = Array.from({ length: 200 }, (_, index) => index / 200);

function valueWith(value: Partial<ValueView> = {}): ValueView {
  return {
    kind: 'static',
    confirmedAt: now,
    endsAt: undefined,
    lifeMs: 0,
    changesAt: undefined,
    rotationWaits: 0,
    canRenew: false,
    isShort: false,
    doubtUntil: undefined,
    isNew: false,
    ...value,
  };
}

function viewWith(value?: Partial<ValueView>, view: Partial<SecretView> = {}): SecretView {
  return {
    policy: { refreshMs: 30 * second, onStale: 'expire', onRemoved: 'keep', onDenied: 'keep' },
    value: value && valueWith(value),
    isExpired: false,
    failure: undefined,
    askedAt: undefined,
    mintAllowedAt: 0,
    ...view,
  };
}

const leased = (ttlMs: number, more: Partial<ValueView> = {}): Partial<ValueView> => ({
  kind: 'leased',
  endsAt: now + ttlMs,
  lifeMs: ttlMs,
  canRenew: true,
  isShort: false,
  ...more,
});
const failed = (error: unknown, count = 1, at = now) => {
  let failure = addFailure(undefined, error, at);
  for (let more = 1; more < count; more += 1) failure = addFailure(failure, error, at);
  return failure;
};
const away = new UpstreamError('upstream_unavailable', 'away');

interface Case {
  readonly name: string;
  readonly view: SecretView;
  readonly action: string;
  /** The earliest and latest moment, from now. */
  readonly from: number;
  readonly to: number;
  readonly why: RegExp;
}

const cases: readonly Case[] = [
  {
    name: 'reads at once what was never read',
    view: viewWith(),
    action: 'read',
    from: 0,
    to: 0,
    why: /never read/,
  },
  {
    name: 'polls a static secret every refresh within a fifth',
    view: viewWith({}),
    action: 'poll',
    from: 24 * second,
    to: 36 * second,
    why: /every refresh/,
  },
  {
    name: 'spreads the first poll over the whole of a refresh, never later than a fifth after it',
    view: viewWith({ isNew: true }),
    action: 'poll',
    from: 6 * second,
    to: 36 * second,
    why: /every refresh/,
  },
  {
    name: 'polls at once what was last confirmed before a sleep',
    view: viewWith({ confirmedAt: now - hour }),
    action: 'poll',
    from: 0,
    to: 0,
    why: /every refresh/,
  },
  {
    name: 'reads just after a ttl without a lease ends, where that is before the refresh',
    view: viewWith({ changesAt: now + 10 * second }),
    action: 'poll',
    from: 10.5 * second,
    to: 12.5 * second,
    why: /ttl ends/,
  },
  {
    name: 'reads a static role just after its rotation',
    view: viewWith({ kind: 'rotating', changesAt: now + 5 * second }),
    action: 'poll',
    from: 5 * second,
    to: 5.1 * second,
    why: /rotates it/,
  },
  {
    name: 'polls a static role between its rotations too, as somebody may rotate it by hand',
    view: viewWith({ kind: 'rotating', changesAt: now + hour }),
    action: 'poll',
    from: 24 * second,
    to: 36 * second,
    why: /every refresh/,
  },
  ...(
    [
      [2, 0.175, 0.325],
      [15, 0.35, 0.65],
      [60, 0.7, 1.3],
      [80, 15, 30],
    ] as const
  ).map(([rotationWaits, from, to]) => ({
    name: `looks again for a rotation that is due after ${rotationWaits} reads`,
    view: viewWith({ kind: 'rotating' as const, changesAt: now, rotationWaits }),
    action: 'poll' as const,
    from: from * second,
    to: to * second,
    why: /has not changed yet/,
  })),
  {
    name: 'never asks again for what was issued without an end',
    view: viewWith({ kind: 'expiring' }),
    action: 'replace',
    from: Number.POSITIVE_INFINITY,
    to: Number.POSITIVE_INFINITY,
    why: /tells no end/,
  },
  {
    name: 'asks again where an interval was set for it',
    view: {
      ...viewWith({ kind: 'expiring' }),
      policy: {
        refreshMs: second,
        statedRefreshMs: hour,
        onStale: 'expire',
        onRemoved: 'keep',
        onDenied: 'keep',
      },
    },
    action: 'replace',
    from: 54 * minute,
    to: 66 * minute,
    why: /every refresh/,
  },
  {
    name: 'renews a lease at two thirds of what remains within a tenth',
    view: viewWith(leased(hour)),
    action: 'renew',
    from: 36 * minute,
    to: 44 * minute,
    why: /two thirds/,
  },
  {
    name: 'renews a lease at every refresh that somebody has said',
    view: {
      ...viewWith(leased(hour)),
      policy: {
        refreshMs: second,
        statedRefreshMs: minute,
        onStale: 'expire',
        onRemoved: 'keep',
        onDenied: 'keep',
      },
    },
    action: 'renew',
    from: 48 * second,
    to: 72 * second,
    why: /whether somebody revoked it/,
  },
  {
    name: 'renews a lease no later for a long refresh',
    view: {
      ...viewWith(leased(hour)),
      policy: {
        refreshMs: second,
        statedRefreshMs: 2 * hour,
        onStale: 'expire',
        onRemoved: 'keep',
        onDenied: 'keep',
      },
    },
    action: 'renew',
    from: 36 * minute,
    to: 44 * minute,
    why: /two thirds/,
  },
  {
    name: 'renews a lease of a few seconds too',
    view: viewWith(leased(6 * second)),
    action: 'renew',
    from: 3.6 * second,
    to: 4.4 * second,
    why: /two thirds/,
  },
  {
    name: 'renews sooner where the last grant was short, for the next may be the last',
    view: viewWith(leased(9 * second, { confirmedAt: now, isShort: true })),
    action: 'renew',
    from: 2.7 * second,
    to: 3.3 * second,
    why: /a third/,
  },
  {
    name: 'renews at once what may have ended while the host slept',
    view: viewWith(
      leased(-minute, { confirmedAt: now - 2 * hour, lifeMs: hour, doubtUntil: now + 10 * second }),
    ),
    action: 'renew',
    from: 0,
    to: 0,
    why: /clock jumped/,
  },
  {
    name: 'replaces a lease that cannot be renewed 10 to 20 % of its life before its end',
    view: viewWith(leased(hour, { canRenew: false })),
    action: 'replace',
    from: 48 * minute,
    to: 54 * minute,
    why: /cannot be renewed any more/,
  },
  {
    name: 'leaves about 10 s to move away from a short lease',
    view: viewWith(leased(minute, { canRenew: false })),
    action: 'replace',
    from: 48 * second,
    to: 52 * second,
    why: /cannot be renewed/,
  },
  {
    name: 'replaces a certificate at 70 to 85 % of its life',
    view: viewWith({ kind: 'expiring', endsAt: now + 100 * hour, lifeMs: 100 * hour }),
    action: 'replace',
    from: 70 * hour,
    to: 85 * hour,
    why: /% of its life/,
  },
  {
    name: 'holds a replacement back for the mint floor, and ends the value on time',
    view: viewWith(leased(20 * second, { canRenew: false, lifeMs: hour }), { mintAllowedAt: now + minute }),
    action: 'expire',
    from: 20 * second,
    to: 20 * second,
    why: /credential ends/,
  },
  {
    name: 'waits for the mint floor with nothing left to hand out',
    view: viewWith(leased(-second, { canRenew: false }), { isExpired: true, mintAllowedAt: now + minute }),
    action: 'read',
    from: minute,
    to: minute,
    why: /mint floor/,
  },
  {
    name: 'retries after the first failure within a second',
    view: viewWith({}, { failure: failed(away) }),
    action: 'retry',
    from: 0.5 * second,
    to: second,
    why: /try 1 failed/,
  },
  {
    name: 'retries a static secret at most a minute apart',
    view: viewWith({}, { failure: failed(away, 20) }),
    action: 'retry',
    from: 30 * second,
    to: minute,
    why: /try 20 failed/,
  },
  {
    name: 'leaves upstream alone for as long as it asks',
    view: viewWith(
      {},
      { failure: failed(new UpstreamError('upstream_rate_limited', 'no', { retryAfterMs: 40 * second })) },
    ),
    action: 'retry',
    from: 40 * second,
    to: 61 * second,
    why: /asked to be left alone/,
  },
  {
    name: 'looks for a secret that is gone about every refresh',
    view: viewWith({}, { failure: failed(new LatchkeyError('not_found', 'gone'), 9) }),
    action: 'retry',
    from: 24 * second,
    to: 36 * second,
    why: /no such secret/,
  },
  {
    name: 'says that upstream denies it',
    view: viewWith(undefined, { failure: failed(new LatchkeyError('denied', 'no')) }),
    action: 'retry',
    from: 0.5 * second,
    to: second,
    why: /denies/,
  },
  {
    name: 'gives a failing renewal up in time for a replacement',
    view: viewWith(leased(6.2 * minute, { lifeMs: hour }), {
      failure: failed(new UpstreamError('upstream_answer_invalid', 'x'), 9),
    }),
    action: 'replace',
    from: 12 * second,
    to: 12 * second,
    why: /renewal failed/,
  },
  {
    name: 'hurries when the end is near',
    view: viewWith(leased(8 * second, { canRenew: false, lifeMs: hour }), { failure: failed(away, 20) }),
    action: 'retry',
    from: 2 * second,
    to: 2 * second,
    why: /try 20 failed/,
  },
  {
    name: 'expires a lease at its end',
    view: viewWith(leased(400, { canRenew: false, lifeMs: hour }), { failure: failed(away, 20) }),
    action: 'expire',
    from: 400,
    to: 400,
    why: /credential ends/,
  },
  {
    name: 'expires a static secret when upstream failed for max_stale',
    view: viewWith(
      { confirmedAt: now - 50 * second },
      {
        failure: failed(away, 9),
        policy: {
          refreshMs: 30 * second,
          maxStaleMs: minute,
          onStale: 'expire',
          onRemoved: 'keep',
          onDenied: 'keep',
        },
      },
    ),
    action: 'expire',
    from: 10 * second,
    to: 10 * second,
    why: /max_stale/,
  },
  {
    name: 'keeps a static secret for ever where that is wished',
    view: viewWith(
      { confirmedAt: now - 50 * hour },
      {
        failure: failed(away, 9),
        policy: {
          refreshMs: 30 * second,
          maxStaleMs: minute,
          onStale: 'keep',
          onRemoved: 'keep',
          onDenied: 'keep',
        },
      },
    ),
    action: 'retry',
    from: 30 * second,
    to: minute,
    why: /failed/,
  },
  {
    name: 'keeps a static secret a day by default',
    view: viewWith({ confirmedAt: now - 24 * hour + second }, { failure: failed(away, 9) }),
    action: 'expire',
    from: second,
    to: second,
    why: /max_stale/,
  },
  {
    name: 'does not hammer for a lease that is kept after its end',
    view: viewWith(leased(-hour), {
      failure: failed(away, 9),
      policy: { refreshMs: 30 * second, onStale: 'keep', onRemoved: 'keep', onDenied: 'keep' },
    }),
    action: 'retry',
    from: 30 * second,
    to: minute,
    why: /failed/,
  },
  {
    name: 'never asks more often than the floor',
    view: viewWith(
      { confirmedAt: now - minute },
      { askedAt: now, policy: { refreshMs: 1, onStale: 'expire', onRemoved: 'keep', onDenied: 'keep' } },
    ),
    action: 'poll',
    from: limits.minIntervalMs,
    to: limits.minIntervalMs,
    why: /every refresh/,
  },
];

for (const { name, view, action, from, to, why } of cases) {
  t.test(name, async (t) => {
    const plans = lots.map((luck) => planNext(view, now, () => luck, limits));
    t.same([...new Set(plans.map((plan) => plan.action))], [action]);
    const times = plans.map(({ at }) => at - now);
    t.ok(Math.min(...times) >= from - 1e-6, `not before ${from}: ${Math.min(...times)}`);
    t.ok(Math.max(...times) <= to + 1e-6, `not after ${to}: ${Math.max(...times)}`);
    const width = to - from;
    if (width > 0) t.ok(Math.max(...times) - Math.min(...times) > width / 3, 'with real jitter');
    t.same(
      plans.map((plan) => plan.why).filter((said) => !why.test(said)),
      [],
    );
  });
}

t.test('spreads after an outage: nothing left soon, the urgent next, the rest over its slack', async (t) => {
  const latest = (view: SecretView) =>
    Math.max(...lots.map((luck) => planAfterRecovery(view, now, () => luck, limits).at - now));
  const hit = { failure: failed(away, 9, now - minute) };
  t.ok(latest(viewWith(undefined, hit)) <= 5 * second);
  t.ok(latest(viewWith(leased(-minute), { ...hit, isExpired: true })) <= 5 * second);
  t.ok(latest(viewWith(leased(30 * second, { lifeMs: minute }), hit)) <= 22 * second);
  t.ok(latest(viewWith(leased(10 * hour), hit)) <= limits.recoverySpreadMs);
  t.ok(latest(viewWith(leased(10 * hour), hit)) > limits.recoverySpreadMs * 0.9);
  t.ok(latest(viewWith({}, hit)) <= 30 * second);
});

t.test(
  'the first poll of secrets that were read together comes anywhere in a refresh, the others near it',
  async (t) => {
    const polls = (value: Partial<ValueView>) =>
      lots.map((share) => (planNext(viewWith(value), now, () => share, limits).at - now) / (30 * second));
    const [first, later] = [polls({ isNew: true }), polls({})];
    t.ok(Math.min(...first) < 0.25 && Math.max(...first) > 1.1 && Math.max(...first) <= 1.2);
    t.ok(Math.min(...later) >= 0.8 && Math.max(...later) <= 1.2);
  },
);

t.test('chooses what to send', async (t) => {
  t.equal(chooseRequest(viewWith(), now), 'read');
  t.equal(chooseRequest(viewWith({}), now), 'poll');
  t.equal(chooseRequest(viewWith(leased(hour)), now), 'renew');
  t.equal(chooseRequest(viewWith(leased(hour, { canRenew: false })), now), 'read');
  t.equal(chooseRequest(viewWith(leased(-1)), now), 'read', 'an ended lease is not renewed');
  t.equal(
    chooseRequest(viewWith(leased(-1, { doubtUntil: now + 1 })), now),
    'renew',
    'but one that may live is',
  );
  t.equal(chooseRequest(viewWith({ kind: 'expiring', endsAt: now + hour }), now), 'read');
  t.equal(chooseRequest(viewWith({}, { isExpired: true }), now), 'read');
});

t.test('the lead holds two mints of the floor at any length of life', async (t) => {
  const random = createSeededRandom(3);
  const lives = Array.from({ length: 1000 }, () => 10 * second + random() * 1000 * hour);
  const leads = lives.map((lifeMs) => ({ lifeMs, lead: leadMs(lifeMs, random()) }));
  t.same(
    leads.filter(({ lifeMs, lead }) => lead < 1.99 * mintFloorMs(lifeMs, limits) || lead > lifeMs / 4),
    [],
  );
});
