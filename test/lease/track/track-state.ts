import t from 'tap';
import { SecretValue } from '../../../src/base/secret-value.ts';
import { UpstreamError } from '../../../src/base/upstream-error.ts';
import {
  initialState,
  type TrackEvent,
  type TrackFacts,
  type TrackState,
  transition,
} from '../../../src/lease/track/track-state.ts';
import { defaultEntryPolicy } from '../../../src/store/entry.ts';
import type { SecretAnswer } from '../../../src/store/secret-version.ts';

const hour = 3_600_000;

const answer = (value: string, more: Partial<SecretAnswer> = {}): SecretAnswer => ({
  content: { form: 'bytes', value: SecretValue.fromText(value) },
  kind: 'static',
  dataDigest: value,
  ...more,
});

function facts(now: number, policy: Partial<TrackFacts['policy']> = {}): TrackFacts {
  return { now, policy: { ...defaultEntryPolicy, ...policy }, mintAllowedAt: 0, canonicalKey: 'read a' };
}

/** What a run of events wishes, each at its time. */
function play(events: readonly [number, TrackEvent][], state: TrackState = initialState) {
  const wishes: string[][] = [];
  let current = state;
  for (const [now, event] of events) {
    const next = transition(current, event, facts(now));
    current = next.state;
    wishes.push(
      next.wishes.map((wish) =>
        wish.do === 'tell' ? `tell ${wish.news}` : wish.do === 'fail' ? `fail ${wish.state}` : wish.do,
      ),
    );
  }
  return { state: current, wishes };
}

const answered = (value: SecretAnswer, sentAt: number): TrackEvent => ({
  type: 'answered',
  answer: value,
  lease: undefined,
  sentAt,
});
const failed = (error: unknown, isAway = false): TrackEvent => ({ type: 'failed', error, isAway });
const denied = new UpstreamError('denied', 'permission denied', { status: 403 });
const away = new UpstreamError('upstream_unavailable', 'no connection');

t.test('what has expired is told to be back, whether its failure was told or not', (t) => {
  const leased = answer('one', { kind: 'expiring', ttlSeconds: 10 });
  const { wishes } = play([
    [0, answered(leased, 0)],
    [9000, failed(away, true)],
    [10_000, { type: 'ended' }],
    [11_000, answered(leased, 11_000)],
  ]);
  t.match(wishes.at(-2), ['tell expired', 'fail expired']);
  t.match(wishes.at(-1), ['tell recovered', 'publish']);
  t.end();
});

t.test('an answer is published, a failure is told once, and so is its end', async (t) => {
  const { wishes, state } = play([
    [0, answered(answer('one'), 0)],
    [10, failed(denied)],
    [20, failed(denied)],
    [30, answered(answer('one'), 25)],
    [40, answered(answer('two'), 35)],
  ]);
  t.strictSame(wishes, [
    ['publish'],
    ['tell failed', 'fail denied'],
    ['fail denied'],
    ['tell recovered', 'publish'],
    ['publish'],
  ]);
  t.match(state, { failure: undefined, lastError: undefined, isExpired: false, value: { confirmedAt: 35 } });
});

t.test('comes to its end by time alone, once, and keeps the cause', async (t) => {
  const { wishes, state } = play([
    [0, answered(answer('one'), 0)],
    [10, failed(away, true)],
    [20, { type: 'ended' }],
    [24 * hour, { type: 'ended' }],
    [25 * hour, { type: 'ended' }],
  ]);
  t.strictSame(wishes.slice(2), [[], ['tell expired', 'fail expired'], []]);
  t.equal(state.lastError, away);
  t.ok(state.value, 'what it was is still known');
});

t.test('an event changes nothing of the state before it', async (t) => {
  const before = play([[0, answered(answer('one', { ttlSeconds: 60 }), 0)]]).state;
  const copy = structuredClone({ ...before, value: { ...before.value, answer: undefined } });
  for (const event of [
    failed(denied),
    { type: 'asked' },
    { type: 'confirmed', sentAt: 5 },
    { type: 'jumped', jumpMs: 9000 },
    { type: 'ended' },
    { type: 'reset' },
  ] satisfies TrackEvent[]) {
    transition(before, event, facts(99 * hour));
    t.strictSame({ ...before, value: { ...before.value, answer: undefined } }, copy, event.type);
  }
});

t.test('a jump of the clock moves every time with it', async (t) => {
  const before = play([[0, answered(answer('one', { kind: 'expiring', ttlSeconds: 60 }), 0)]]).state;
  const { state, wishes } = play([[100, { type: 'jumped', jumpMs: 30_000 }]], before);
  t.match(state.value, { confirmedAt: -30_000, ownEnd: 30_000, doubtUntil: 10_100 });
  t.strictSame(wishes, [['extend']]);
});

t.test('a rotation that is due counts until the password or its mark has changed', async (t) => {
  const role = (value: string, ttlSeconds: number, rotationMark: string) =>
    answer(value, { kind: 'rotating', ttlSeconds, rotationMark });
  const waits = (events: [number, TrackEvent][]) => play(events).state.value?.rotationWaits;
  const first: [number, TrackEvent] = [0, answered(role('one', 20, 'a'), 0)];
  t.equal(waits([first, [9000, answered(role('one', 11, 'a'), 9000)]]), 0, 'not due');
  const late: [number, TrackEvent] = [21_000, answered(role('one', 19, 'a'), 21_000)];
  t.equal(waits([first, late]), 1, 'its ttl began again, it did not change');
  t.equal(waits([first, late, [22_000, answered(role('one', 18, 'a'), 22_000)]]), 2);
  t.equal(waits([first, late, [22_000, answered(role('two', 18, 'b'), 22_000)]]), 0);
  t.equal(waits([first, [21_000, answered(role('one', 19, 'b'), 21_000)]]), 0, 'rotated to the same');
});
