import t from 'tap';
import { LatchkeyError } from '../../src/base/errors.ts';
import { SecretValue } from '../../src/base/secret-value.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { digestData, type SecretAnswer } from '../../src/store/secret-version.ts';
import { createStore } from '../../src/store/store.ts';
import { createFakeClock } from '../support/fake-clock.ts';

const reference = createReference({ upstream: 'vault', path: 'secret/a' });

function answer(value: string, more: Partial<SecretAnswer> = {}): SecretAnswer {
  const data = { value };
  return {
    content: { form: 'fields', json: SecretValue.fromText(JSON.stringify(data)) },
    kind: 'static',
    dataDigest: digestData(data),
    ...more,
  };
}

function setUp() {
  const clock = createFakeClock();
  const store = createStore({ clock });
  const told: string[] = [];
  store.listen({
    opened: (entry) => told.push(`opened ${entry.key}`),
    closed: (_entry, versions) => told.push(`closed ${versions.map(({ number }) => number).join()}`),
    changed: (_entry, version) => told.push(`changed ${version.number}`),
    updated: (entry) => told.push(`updated ${entry.state}`),
    unheld: (_entry, version) => told.push(`unheld ${version.number}`),
    policyChanged: (entry) => told.push(`policy ${entry.policy.refreshMs}`),
  });
  return { clock, store, told };
}

t.test('equal references share one entry until the last opener has gone', async (t) => {
  const { store, told } = setUp();
  const one = store.open(reference, defaultEntryPolicy);
  const other = store.open(createReference({ upstream: 'vault', path: '/secret//a/' }), defaultEntryPolicy);
  t.equal(one.entry, other.entry);
  t.equal([...store.entries()].length, 1);
  one.close();
  one.close();
  t.equal(store.find(one.key), one.entry);
  other.close();
  t.equal(store.find(one.key), undefined);
  t.same(told, ['opened vault:read secret/a', 'closed ']);
});

t.test('the strictest wish counts, and goes with its opener', async (t) => {
  const { store, told } = setUp();
  store.open(reference, { ...defaultEntryPolicy, refreshMs: 9000 });
  const strict = store.open(reference, { ...defaultEntryPolicy, refreshMs: 5000, maxStaleMs: 60_000 });
  store.open(reference, { ...defaultEntryPolicy, refreshMs: 8000 });
  t.match(strict.entry.policy, { refreshMs: 5000, maxStaleMs: 60_000 });
  strict.close();
  t.match(strict.entry.policy, { refreshMs: 8000, maxStaleMs: undefined });
  t.same(told.slice(1), ['policy 5000', 'policy 8000']);
});

t.test('numbers each new answer, and tells of equal data as an update only', async (t) => {
  const { store, told } = setUp();
  const { key, entry } = store.open(reference, defaultEntryPolicy);
  t.ok(store.publish(key, answer('one', { versionId: '4' }), undefined));
  t.notOk(store.publish(key, answer('one', { versionId: '5', ttlSeconds: 3 }), 99));
  t.match(entry, { expiresAt: 99, current: { number: 1, versionId: '5', ttlSeconds: 3 } });
  t.ok(store.publish(key, answer('two'), undefined));
  t.match(entry, { state: 'fresh', current: { number: 2 } });
  t.same(told.slice(1), ['changed 1', 'updated fresh', 'changed 2', 'unheld 1']);
});

t.test('tells nobody of a poll that finds all as it was', async (t) => {
  const { store, told } = setUp();
  const { key, entry } = store.open(reference, defaultEntryPolicy);
  store.publish(key, answer('one', { versionId: '4' }), undefined);
  const { current } = entry;
  t.notOk(store.publish(key, answer('one', { versionId: '4' }), undefined));
  store.extend(key, undefined);
  t.equal(entry.current, current);
  t.same(told.slice(1), ['changed 1']);
  store.fail(key, new Error('away'), 'stale');
  store.extend(key, undefined);
  t.same(told.slice(2), ['updated stale', 'updated fresh']);
});

t.test('another lease is another version even where the data are the same', async (t) => {
  const { store } = setUp();
  const { key } = store.open(reference, defaultEntryPolicy);
  const lease = { durationSeconds: 60, isRenewable: true };
  store.publish(key, answer('one', { lease: { ...lease, id: '1' } }), 5);
  t.notOk(store.publish(key, answer('one', { lease: { ...lease, id: '1' } }), 6));
  t.ok(store.publish(key, answer('one', { lease: { ...lease, id: '2' } }), 7));
});

t.test('tells once of a superseded version that nobody holds any more', async (t) => {
  const { store, told } = setUp();
  const { key } = store.open(reference, defaultEntryPolicy);
  store.publish(key, answer('one'), undefined);
  store.hold('file', key, 1);
  store.hold('process', key, 1);
  store.publish(key, answer('two'), undefined);
  t.notMatch(told, ['unheld 1']);
  t.same([...store.holders(key).keys()], ['file', 'process']);
  store.hold('file', key, 2);
  t.equal(told.filter((line) => line === 'unheld 1').length, 0);
  store.release('process');
  t.equal(told.filter((line) => line === 'unheld 1').length, 1);
  store.hold('file', key, 1);
  t.equal(store.holders(key).get('file')?.number, 2, 'a version that is gone cannot be held again');
  t.equal(told.filter((line) => line === 'unheld 1').length, 1);
});

t.test('a consumer of the changed event may move at once', async (t) => {
  const { store, told } = setUp();
  const { key } = store.open(reference, defaultEntryPolicy);
  store.listen({ changed: (entry, version) => store.hold('file', entry.key, version.number) });
  store.publish(key, answer('one'), undefined);
  store.publish(key, answer('two'), undefined);
  t.same(told.slice(1), ['changed 1', 'changed 2', 'unheld 1']);
});

t.test('a failure keeps the value until it expires, and counts', async (t) => {
  const { store, clock } = setUp();
  const { key, entry } = store.open(reference, defaultEntryPolicy);
  store.publish(key, answer('one'), undefined);
  store.hold('file', key, 1);
  const error = new LatchkeyError('upstream_unavailable', 'away');
  store.fail(key, error, 'stale');
  const since = clock.wall();
  await clock.advance(1000);
  store.fail(key, error, 'stale');
  t.match(entry, { state: 'stale', current: { number: 1 }, error: { count: 2, since, message: 'away' } });
  store.fail(key, new LatchkeyError('denied', 'no'), 'expired');
  t.match(entry, { state: 'expired', current: undefined, error: { code: 'denied', count: 1 } });
  t.equal(store.holders(key).get('file')?.number, 1);
  store.publish(key, answer('one'), undefined);
  t.match(entry, { state: 'fresh', error: undefined, current: { number: 2 } });
});

t.test('an extension moves the end and clears the failure', async (t) => {
  const { store } = setUp();
  const { key, entry } = store.open(reference, defaultEntryPolicy);
  store.publish(key, answer('one'), 10);
  store.fail(key, new LatchkeyError('upstream_unavailable', 'away'), 'stale');
  store.extend(key, 20);
  t.match(entry, { state: 'fresh', error: undefined, expiresAt: 20 });
  t.equal(entry.current?.expiresAt, 10);
});

t.test('closing tells of every version that was not unheld', async (t) => {
  const { store, told } = setUp();
  const handle = store.open(reference, defaultEntryPolicy);
  store.publish(handle.key, answer('one'), undefined);
  store.hold('file', handle.key, 1);
  store.publish(handle.key, answer('two'), undefined);
  handle.close();
  t.equal(told.at(-1), 'closed 1,2');
});

t.test('what is said of an entry that is gone does nothing', async (t) => {
  const { store, told } = setUp();
  const { key, close } = store.open(reference, defaultEntryPolicy);
  close();
  t.notOk(store.publish(key, answer('one'), undefined));
  store.extend(key, 1);
  store.fail(key, new Error('x'), 'stale');
  store.plan(key, { action: 'poll', at: 1, why: 'x' });
  store.hold('file', key, 1);
  t.same([...store.holders(key)], []);
  t.equal(told.length, 2);
});

t.test('a listener hears nothing after it has gone', async (t) => {
  const { store } = setUp();
  let heard = 0;
  const stop = store.listen({ opened: () => (heard += 1) });
  stop();
  store.open(reference, defaultEntryPolicy);
  t.equal(heard, 0);
});
