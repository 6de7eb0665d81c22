import t from 'tap';
import { createIdentityKeeper } from '../../../src/upstream/cloud/identity-keeper.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { recordLogs } from '../../support/record-logs.ts';

function setUp(lifeMs: number | undefined) {
  const clock = createFakeClock();
  const logs = recordLogs();
  const state = { count: 0, error: undefined as Error | undefined, hold: Promise.resolve() };
  const outcomes: string[] = [];
  const keeper = createIdentityKeeper({
    observer: { requested: () => undefined, loggedIn: (outcome) => outcomes.push(outcome) },
    clock,
    logger: logs.logger,
    async fetch() {
      await state.hold;
      if (state.error !== undefined) throw state.error;
      state.count += 1;
      return { number: state.count, expiresAt: lifeMs === undefined ? undefined : clock.wall() + lifeMs };
    },
  });
  const get = async () => (await keeper.get(new AbortController().signal)).number;
  return { clock, logs, state, keeper, get, outcomes };
}

t.test('keeps an identity until five minutes before its end, or four fifths of a short life', async (t) => {
  for (const [lifeMs, refreshMs] of [
    [3_600_000, 3_300_000],
    [600_000, 480_000],
  ] as const) {
    const { clock, get } = setUp(lifeMs);
    t.equal(await get(), 1);
    await clock.advance(refreshMs - 1000);
    t.equal(await get(), 1);
    await clock.advance(2000);
    t.equal(await get(), 2);
  }
  const endless = setUp(undefined);
  await endless.get();
  await endless.clock.advance(1e9);
  t.equal(await endless.get(), 1);
});

t.test('asks once for all who want one, also when the first of them gives up', async (t) => {
  const { state, keeper, get } = setUp(3_600_000);
  const { promise, resolve } = Promise.withResolvers<void>();
  state.hold = promise;
  const first = new AbortController();
  const given = keeper.get(first.signal);
  const others = [get(), get()];
  first.abort(new Error('gone'));
  await t.rejects(given, { message: 'gone' });
  resolve();
  t.same(await Promise.all(others), [1, 1]);
});

t.test(
  'goes on with the old one while it is good and no other can be had; a refused one is not used again',
  async (t) => {
    const { clock, state, logs, keeper, get, outcomes } = setUp(3_600_000);
    await get();
    state.error = new Error('the endpoint is away');
    await clock.advance(3_400_000);
    t.equal(await get(), 1);
    t.equal(await get(), 1);
    t.equal(logs.lines.length, 1, 'tried again after a while, not with every request');
    await clock.advance(300_000);
    await t.rejects(get(), { message: 'the endpoint is away' }, 'its end has come');
    state.error = undefined;
    t.equal(await get(), 2);
    t.same(outcomes, ['ok', 'internal', 'internal', 'ok'], 'each is counted');
    const held = keeper.current();
    if (held !== undefined) keeper.forget(held);
    t.equal(await get(), 3);
  },
);

t.test(
  'a clock that is set back lengthens no life, and one that is wrong makes no loop of logins',
  async (t) => {
    const back = setUp(3_600_000);
    await back.get();
    back.clock.jumpWall(-7_200_000);
    await back.clock.advance(3_400_000);
    t.equal(await back.get(), 2);

    const ahead = setUp(-1000);
    for (let turn = 0; turn < 60; turn += 1) {
      await ahead.get();
      await ahead.clock.advance(1000);
    }
    t.ok(ahead.state.count <= 3, `${ahead.state.count} logins in a minute`);
  },
);
