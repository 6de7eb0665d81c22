import t from 'tap';
import { createBudget } from '../../../src/upstream/gate/budget.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

t.test('lets a burst as large as the concurrency go, then keeps to the rate', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 10, concurrency: 4, clock });
  const starts: number[] = [];
  for (let index = 0; index < 24; index += 1) {
    void budget.acquire({ lane: 'background' }, never).then((release) => {
      starts.push(clock.now());
      release();
    });
  }
  await clock.settle();
  t.equal(starts.length, 4);
  await clock.advance(1000);
  t.equal(starts.length, 14);
  await clock.advance(1000);
  t.equal(starts.length, 24);
  t.same(budget.status(), { inFlight: 0, queued: 0 });
});

t.test('lets background requests beyond a burst go some at a time, and people at once', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 50, concurrency: 16, clock });
  const starts: number[] = [];
  const begunAt = clock.now();
  const ask = (lane: 'background' | 'interactive') =>
    void budget.acquire({ lane }, never).then((release) => {
      starts.push(clock.now() - begunAt);
      release();
    });
  for (let index = 0; index < 26; index += 1) ask('background');
  await clock.advance(99);
  t.strictSame(
    starts,
    Array.from({ length: 16 }, () => 0),
  );
  await clock.advance(1);
  t.strictSame(starts.slice(16), [100, 100, 100, 100, 100], 'five tokens, one wake');
  ask('interactive');
  await clock.advance(20);
  t.strictSame(starts.slice(21), [120], 'the next token is theirs');
  await clock.advance(100);
  t.equal(starts.length, 27);
  t.ok((starts.at(-1) ?? 0) <= 220, 'the rate is kept to');
});

t.test('never runs more at a time than the concurrency', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 1000, concurrency: 2, clock });
  const releases: (() => void)[] = [];
  for (let index = 0; index < 5; index += 1) {
    void budget.acquire({ lane: 'interactive' }, never).then((release) => releases.push(release));
  }
  await clock.advance(1000);
  t.same(budget.status(), { inFlight: 2, queued: 3 });
  releases[0]?.();
  releases[0]?.();
  await clock.advance(1000);
  t.same(budget.status(), { inFlight: 2, queued: 2 }, 'a release counts once');
});

t.test('puts people before background work, and still starves nobody', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 1000, concurrency: 1, clock });
  const first = await budget.acquire({ lane: 'background' }, never);
  const order: string[] = [];
  const ask = (priority: 'interactive' | 'background') =>
    void budget.acquire({ lane: priority }, never).then((release) => {
      order.push(priority === 'interactive' ? 'i' : 'b');
      release();
    });
  for (let index = 0; index < 3; index += 1) ask('background');
  for (let index = 0; index < 10; index += 1) ask('interactive');
  first();
  await clock.advance(1000);
  t.equal(order.join(''), 'iiiibiiiibiib');
});

t.test('moves a background request that somebody begins to wait for ahead of the others', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 1000, concurrency: 1, clock });
  const first = await budget.acquire({ lane: 'background' }, never);
  const order: string[] = [];
  const ask = (name: string, promoted?: AbortSignal) =>
    void budget.acquire({ lane: 'background', promoted }, never).then((release) => {
      order.push(name);
      release();
    });
  const promotion = new AbortController();
  ask('a');
  ask('b');
  ask('awaited', promotion.signal);
  promotion.abort();
  ask('awaited before it came', promotion.signal);
  first();
  await clock.advance(1000);
  t.strictSame(order, ['awaited', 'awaited before it came', 'a', 'b']);
  t.same(budget.status(), { inFlight: 0, queued: 0 });
});

t.test('plans nothing for one who gave up', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 0.01, concurrency: 1, clock });
  (await budget.acquire({ lane: 'background' }, never))();
  const controller = new AbortController();
  const waiting = budget.acquire({ lane: 'background' }, controller.signal);
  t.equal(clock.pending, 1, 'the next token comes in 100 s');
  controller.abort();
  await t.rejects(waiting, { code: 'aborted' });
  t.equal(clock.pending, 0);
});

t.test('gives a place in the queue up when aborted', async (t) => {
  const clock = createFakeClock();
  const budget = createBudget({ requestsPerSecond: 1000, concurrency: 1, clock });
  const release = await budget.acquire({ lane: 'interactive' }, never);
  const controller = new AbortController();
  const waiting = budget.acquire({ lane: 'interactive' }, controller.signal);
  controller.abort();
  await t.rejects(waiting, { code: 'aborted' });
  await t.rejects(budget.acquire({ lane: 'interactive' }, AbortSignal.abort()), { code: 'aborted' });
  t.same(budget.status(), { inFlight: 1, queued: 0 });
  release();
});
