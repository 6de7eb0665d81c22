// The timeline is bounded, whatever happens, and tells repeats once.
import t from 'tap';
import type { StepName } from '../../../src/agent/timeline/rotation.ts';
import { createTimeline } from '../../../src/agent/timeline/timeline.ts';
import { LatchkeyError } from '../../../src/base/errors.ts';
import type { SteppedSet } from '../../../src/files/transaction/ports.ts';
import { defaultEntryPolicy } from '../../../src/store/entry.ts';
import { createReference } from '../../../src/store/reference.ts';
import { digestData, fieldsContent } from '../../../src/store/secret-version.ts';
import { createStore } from '../../../src/store/store.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

function fixture() {
  const clock = createFakeClock();
  const store = createStore({ clock });
  const observed: [StepName, number][] = [];
  const timeline = createTimeline({
    store,
    clock,
    observe: (step, seconds) => observed.push([step, seconds]),
  });
  const open = (path: string) =>
    store.open(createReference({ upstream: 'vault', path }), defaultEntryPolicy).key;
  const publish = (key: string, word: string, leaseId?: string): void => {
    const lease =
      leaseId === undefined ? {} : { lease: { id: leaseId, durationSeconds: 60, isRenewable: true } };
    timeline.leases.asking?.([key], { by: 'poll', at: clock.now() });
    store.publish(
      key,
      { content: fieldsContent({ word }), kind: 'static', dataDigest: digestData({ word }), ...lease },
      undefined,
    );
    timeline.leases.answered?.([key], undefined);
  };
  return { clock, store, timeline, observed, open, publish };
}

const stepOf = (key: string, number: number, more: Partial<SteppedSet>): SteppedSet => ({
  name: undefined,
  destinations: ['/etc/app.conf'],
  versions: new Map([[key, number]]),
  step: 'stage',
  result: 'ok',
  failure: undefined,
  isWanted: true,
  ...more,
});

t.test('of each secret the last eight, of all no more than there is room for', (t) => {
  const { timeline, open, publish } = fixture();
  const keys = Array.from({ length: 400 }, (_, index) => open(`secret/${index}`));
  for (let round = 0; round < 12; round += 1) for (const key of keys) publish(key, String(round));
  t.equal(timeline.of(keys.at(-1) ?? '').length, 3);
  t.equal(timeline.of(keys.at(-1) ?? '')[0]?.to?.number, 12);
  t.ok(timeline.latest(1_000_000).length <= 1024, 'by count');
  t.strictSame(
    timeline.of(keys[0] ?? '').map(({ to }) => to?.number),
    [12, 11],
    'the oldest of all went first',
  );
  for (let round = 12; round < 99; round += 1) publish(keys[0] ?? '', String(round));
  t.equal(timeline.of(keys[0] ?? '').length, 8);
  t.end();
});

t.test('by bytes: a rotation with ten thousand readers is cut, and pushes others out', (t) => {
  const { store, timeline, open, publish } = fixture();
  const keys = Array.from({ length: 30 }, (_, index) => open(`secret/${index}`));
  for (const key of keys) {
    publish(key, 'one');
    publish(key, 'two');
    for (let pid = 0; pid < 10_000; pid += 1) store.hold(`caller:uid 33, pid ${pid}@${pid}`, key, 2);
  }
  const [newest] = timeline.of(keys.at(-1) ?? '');
  t.strictSame(
    [newest?.steps.length, newest?.omitted],
    [400, 10_000 + 3 - 400],
    'noticed, fetched, let go, and as many readers',
  );
  t.equal(newest?.steps[3]?.subject, 'caller:uid 33, pid 0');
  const bytes = timeline.latest(1000).reduce((sum, rotation) => sum + rotation.bytes, 0);
  t.ok(bytes <= 1024 * 1024, String(bytes));
  t.strictSame(timeline.of(keys[0] ?? ''), []);
  t.end();
});

t.test(
  'what fails alike again and again is one step with its count; the way back to it is told once',
  async (t) => {
    const { clock, store, timeline, open, publish, observed } = fixture();
    const key = open('secret/app');
    publish(key, 'one');
    store.hold('file:/etc/app.conf', key, 1);
    publish(key, 'two');
    const failure = new LatchkeyError('check_failed', 'files[0].check: no');
    for (let round = 0; round < 1000; round += 1) {
      await clock.advance(1000);
      timeline.stepped(stepOf(key, 2, {}));
      timeline.stepped(stepOf(key, 2, { step: 'check', result: 'failed', failure }));
    }
    timeline.stepped(stepOf(key, 2, {}));
    timeline.stepped(stepOf(key, 2, { step: 'check' }));
    timeline.stepped(stepOf(key, 2, { step: 'retire' }));
    const [rotation] = timeline.of(key);
    t.strictSame(
      rotation?.steps.map(({ step, count }) => `${step} ${count}`),
      ['noticed 1', 'fetched 1', 'rendered 1', 'checked 1000', 'checked 1'],
    );
    // Rendered again for another secret, or to put it right: no part of this rotation any more.
    timeline.stepped(stepOf(key, 2, { step: 'commit' }));
    t.equal(rotation?.steps.length, 5);
    t.strictSame(
      observed.filter(([step]) => step === 'rendered'),
      [['rendered', 1]],
      'in seconds since it was fetched',
    );
    t.end();
  },
);

t.test('a secret that nobody wants any more is forgotten, and a stop of the agent is no failure', (t) => {
  const { store, timeline, publish } = fixture();
  const handle = store.open(createReference({ upstream: 'vault', path: 'secret/app' }), defaultEntryPolicy);
  publish(handle.key, 'one', 'lease/1');
  publish(handle.key, 'two', 'lease/2');
  timeline.stepped(
    stepOf(handle.key, 2, { result: 'failed', failure: new LatchkeyError('aborted', 'the agent stops') }),
  );
  t.strictSame(
    timeline.of(handle.key)[0]?.steps.map(({ step }) => step),
    ['noticed', 'fetched', 'let_go'],
  );
  timeline.leases.revoked?.('vault', 'lease/1', undefined);
  timeline.leases.revoked?.('vault', 'lease/of somebody else', undefined);
  t.equal(timeline.of(handle.key)[0]?.steps.at(-1)?.step, 'revoked');
  handle.close();
  t.strictSame([timeline.of(handle.key), timeline.latest(9)], [[], []]);
  t.end();
});

t.test('a wish that upstream refuses is remembered; a poll that it refuses is not', (t) => {
  const { timeline, open, publish, clock } = fixture();
  const key = open('secret/app');
  publish(key, 'one');
  const failure = new LatchkeyError('upstream_unavailable', 'away');
  const ask = (by: 'poll' | 'asked' | 'retry' | 'lease', error: unknown): void => {
    timeline.leases.asking?.([key], { by, at: clock.now() });
    timeline.leases.answered?.([key], error);
  };
  ask('poll', failure);
  ask('retry', failure);
  t.strictSame(timeline.of(key), []);
  ask('lease', failure);
  ask('retry', undefined);
  t.strictSame(timeline.of(key), [], 'it was renewed in the end: no rotation');
  ask('asked', failure);
  ask('retry', failure);
  t.match(timeline.of(key), [
    { by: 'asked', to: undefined, steps: [{ step: 'noticed' }, { step: 'fetched', count: 2 }] },
  ]);
  publish(key, 'two');
  t.match(
    timeline.of(key),
    [{ by: 'asked', to: { number: 2 }, steps: { length: 4 } }],
    'the same one went on',
  );
  ask('asked', failure);
  ask('poll', undefined);
  t.match(timeline.of(key), [{ isClosed: true, to: undefined }, { to: { number: 2 } }]);
  t.end();
});
