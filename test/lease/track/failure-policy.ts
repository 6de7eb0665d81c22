import t from 'tap';
import { LatchkeyError } from '../../../src/base/errors.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import {
  addFailure,
  isOutageError,
  mayHaveTakenEffect,
  stateOnFailure,
} from '../../../src/lease/track/failure-policy.ts';
import type { SecretView } from '../../../src/lease/track/secret-view.ts';

const unavailable = (status?: number) =>
  new UpstreamError('upstream_unavailable', 'x', status === undefined ? {} : { status });

t.test('counts failures in a row and keeps when they began', async (t) => {
  const first = addFailure(undefined, unavailable(), 10);
  const second = addFailure(first, new UpstreamError('upstream_rate_limited', 'x', { retryAfterMs: 5 }), 20);
  t.same(second, {
    code: 'upstream_rate_limited',
    count: 2,
    since: 10,
    at: 20,
    wasAway: false,
    retryAfterMs: 5,
  });
});

t.test('tells an upstream that is away from a path that fails', async (t) => {
  t.ok(isOutageError(unavailable()));
  t.ok(isOutageError(unavailable(502)));
  t.ok(isOutageError(new UpstreamError('upstream_sealed', 'x', { status: 503 })));
  t.ok(isOutageError(new LatchkeyError('login_failed', 'x')));
  t.notOk(isOutageError(unavailable(500)), 'a broken database behind one path');
  t.notOk(isOutageError(new LatchkeyError('denied', 'x')));
  t.notOk(isOutageError(new LatchkeyError('upstream_rate_limited', 'x')));
});

t.test('takes a lost or broken answer for a credential that was made', async (t) => {
  t.ok(mayHaveTakenEffect(unavailable()));
  t.ok(mayHaveTakenEffect(unavailable(504)));
  t.ok(mayHaveTakenEffect(new LatchkeyError('upstream_answer_invalid', 'x')));
  t.ok(mayHaveTakenEffect(new LatchkeyError('timeout', 'x')));
  t.notOk(mayHaveTakenEffect(unavailable(500)));
  t.notOk(mayHaveTakenEffect(Object.assign(unavailable(), { wasSent: false })));
  t.notOk(mayHaveTakenEffect(new LatchkeyError('not_found', 'x')));
  t.notOk(mayHaveTakenEffect(new UpstreamError('upstream_sealed', 'x', { status: 503 })));
});

t.test('tells what is left of a value', async (t) => {
  const failure = addFailure(undefined, unavailable(), 1000);
  const view: SecretView = {
    policy: { refreshMs: 1000, onStale: 'expire', onRemoved: 'keep', onDenied: 'keep' },
    value: {
      kind: 'leased',
      confirmedAt: 0,
      endsAt: 5000,
      lifeMs: 5000,
      changesAt: undefined,
      rotationWaits: 0,
      canRenew: true,
      isShort: false,
      doubtUntil: undefined,
      isNew: false,
    },
    isExpired: false,
    failure,
    askedAt: 0,
    mintAllowedAt: 0,
  };
  t.equal(stateOnFailure({ ...view, value: undefined }, 1000), 'pending');
  t.equal(stateOnFailure(view, 1000), 'stale');
  t.equal(stateOnFailure(view, 5000), 'expired');
  t.equal(stateOnFailure({ ...view, isExpired: true }, 1000), 'expired');
  t.equal(
    stateOnFailure(
      { ...view, policy: { ...view.policy, onStale: 'keep', onRemoved: 'keep', onDenied: 'keep' } },
      9000,
    ),
    'stale',
  );
  const impatient = { ...view, policy: { ...view.policy, maxStaleMs: 500 } };
  t.equal(stateOnFailure(impatient, 1400), 'stale');
  t.equal(stateOnFailure(impatient, 1500), 'expired', 'max_stale shortens what a lease may still be used');
});
