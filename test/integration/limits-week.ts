// A hundred secrets of 1Password with the token of a small account, for a week of the clock: never too many reads, and nothing
// older than what status says.
import t from 'tap';
import { callsOf, slowness } from '../../src/agent/view/calls.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { loadConfigText } from '../../src/config/load.ts';
import { createLeaseEngine } from '../../src/lease/lease-engine.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { createStore } from '../../src/store/store.ts';
import { createSource, loadKinds } from '../../src/upstream/kinds.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { startFakeAccount } from '../support/fake-onepassword-sdk.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { waitFor } from '../support/wait-for.ts';

const count = 100;
const hourMs = 3_600_000;
const names = Array.from({ length: count }, (_, index) => `item-${index}`);

async function simulate(t: import('tap').Test, refresh: string | undefined, days: number) {
  const clock = createFakeClock();
  const random = createSeededRandom(11);
  const account = startFakeAccount(t);
  for (const [index, title] of names.entries())
    account.items.set(title, { id: `id-${index}`, title, version: 1, fields: new Map([['password', '0']]) });
  const env = { OP_SERVICE_ACCOUNT_TOKEN: account.token };
  const secrets = Object.fromEntries(
    names.map((name) => [
      name,
      { path: `op://Apps/${name}/password`, ...(refresh === undefined ? {} : { refresh }) },
    ]),
  );
  const config = loadConfigText(
    '/x.yaml',
    JSON.stringify({ upstreams: { op: { kind: 'onepassword', sdk_path: account.folder } }, secrets }),
    { env, checks: 'none' },
  );
  const [upstream] = config.upstreams;
  if (upstream === undefined) throw new Error('no upstream');
  await loadKinds([upstream]);
  const source = createSource({ config: upstream, clock, logger: silentLogger, random, env });

  // The service counts by the hour in both ways that are usual.
  const reads: { at: number; count: number }[] = [];
  let inWindow = 0;
  let first = 0;
  let byHour = { hour: 0, count: 0 };
  let most = 0;
  let refusals = 0;
  account.onRead = (units) => {
    const at = clock.now();
    reads.push({ at, count: units });
    inWindow += units;
    for (let one = reads[first]; one !== undefined && one.at <= at - hourMs; one = reads[first]) {
      inWindow -= one.count;
      first += 1;
    }
    const hour = Math.floor(clock.wall() / hourMs);
    byHour = byHour.hour === hour ? { hour, count: byHour.count + units } : { hour, count: units };
    most = Math.max(most, inWindow, byHour.count);
    if (inWindow > 1000 || byHour.count > 1000) {
      refusals += 1;
      account.failure = { name: 'RateLimitExceededError', message: '' };
    }
  };

  const store = createStore({ clock });
  const engine = createLeaseEngine({
    store,
    clock,
    random,
    logger: silentLogger,
    upstreams: new Map([['op', source]]),
  });
  source.listen({ status: ({ state }) => state === 'ready' && engine.upstreamRecovered('op') });
  source.start();
  await waitFor('the library is loaded', async () => {
    await clock.settle();
    return source.status().state === 'ready';
  });
  const policy = { ...defaultEntryPolicy, refreshMs: config.secrets[0]?.refreshMs ?? 0 };
  const entries = names.map(
    (name) =>
      store.open(createReference({ upstream: 'op', path: `op://Apps/${name}/password` }), policy).entry,
  );
  /** Changes that the store has not seen yet: the new value, and since when. */
  const pending = new Map<string, { value: string; at: number }>();
  const lags: number[] = [];
  store.listen({
    changed(entry, version) {
      const title = entry.reference.path.split('/').at(-2) ?? '';
      const change = pending.get(title);
      if (version.content.form !== 'bytes' || version.content.value.text() !== change?.value) return;
      lags.push((clock.now() - change.at) / 1000);
      pending.delete(title);
    },
  });
  engine.start();
  for (let minute = 0; minute < days * 24 * 60; minute += 10) {
    const title = names[Math.floor(random() * count)] ?? '';
    const item = account.items.get(title);
    if (item !== undefined && !pending.has(title)) {
      item.fields.set('password', String(minute + 1));
      pending.set(title, { value: String(minute + 1), at: clock.now() });
    }
    await clock.advance(600_000);
  }
  const demand = { count, perSecond: (count * 1000) / policy.refreshMs };
  const status = source.status();
  const now = clock.wall();
  const said = Math.max(...entries.map((entry) => now - (entry.confirmedAt ?? 0))) / 1000;
  const closing = engine.close({ signal: AbortSignal.timeout(60_000) });
  await clock.advance(10_000);
  await closing;
  await source.close({ revokeToken: false, signal: AbortSignal.timeout(1000) });
  return {
    lags,
    most,
    refusals,
    entries,
    said,
    message: slowness(demand, status),
    calls: callsOf(demand, status),
    total: reads.length,
  };
}

t.test('with the default refresh there is room to spare', async (t) => {
  const { lags, most, refusals, message, calls, entries } = await simulate(t, undefined, 2);
  t.equal(refusals, 0);
  t.ok(most < 800, `${most} reads in the fullest hour`);
  t.equal(message, undefined);
  t.match(calls, { a_day: 9600, slowed_to_seconds: null, limits: [{ limit: '1000 reads an hour' }] });
  t.ok(lags.length > 100 && Math.max(...lags) < 900 * 1.4, `seen after ${Math.max(...lags)} s at most`);
  t.ok(entries.every(({ state }) => state === 'fresh'));
});

t.test('with a refresh that asks twelve times too much it slows down, for seven days', async (t) => {
  const { lags, most, refusals, message, calls, entries, said, total } = await simulate(t, '30s', 7);
  t.equal(refusals, 0, 'the service refuses nothing');
  t.ok(most <= 950, `${most} reads in the fullest hour`);
  t.match(
    message,
    /slowed down for the limit of 1000 reads an hour: each of its 100 secrets is looked at about every 8 min/,
  );
  t.equal(calls?.slowed_to_seconds, 450);
  const longest = Math.max(...lags);
  t.ok(lags.length > 500 && longest < 2 * 450, `${lags.length} changes, seen after ${longest} s at most`);
  t.ok(said < 3 * 450, `what status says of the oldest: ${said} s`);
  t.ok(entries.every(({ state }) => state === 'fresh'));
  t.comment(
    `${total} requests in a week, ${most} reads in the fullest hour, changes seen after ${Math.round(longest)} s at most`,
  );
});
