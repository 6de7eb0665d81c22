// Limits are kept in every window, whatever asks; a part of them is for those that somebody waits for.
import t from 'tap';
import { createAllowance } from '../../../src/upstream/gate/allowance.ts';
import { createBudget, type Lane } from '../../../src/upstream/gate/budget.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createSeededRandom } from '../../support/seeded-random.ts';

const never = new AbortController().signal;
const hourMs = 3_600_000;
const perHour = (most: number) => [{ meter: 'reads', most, perMs: hourMs, from: 'service' as const }];

function mostInAnyWindow(times: readonly number[], windowMs: number): number {
  let first = 0;
  let most = 0;
  for (const [index, at] of times.entries()) {
    while ((times[first] ?? 0) <= at - windowMs) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

t.test('no hour holds more than the limit, however it is asked', async (t) => {
  for (const seed of [1, 2, 3]) {
    const random = createSeededRandom(seed);
    const clock = createFakeClock();
    const allowance = createAllowance(clock, perHour(200));
    const budget = createBudget({ requestsPerSecond: 50, concurrency: 16, clock, allowance });
    const times: number[] = [];
    const ask = (lane: Lane) =>
      void budget.acquire({ lane }, never).then((release) => {
        times.push(clock.now());
        release();
      });
    for (let minute = 0; minute < 600; minute += 1) {
      const burst = random() < 0.05 ? 100 : Math.floor(8 * random());
      for (let index = 0; index < burst; index += 1) ask(random() < 0.3 ? 'interactive' : 'background');
      await clock.advance(60_000);
    }
    t.ok(mostInAnyWindow(times, hourMs) <= 190, `${mostInAnyWindow(times, hourMs)} in an hour`);
    t.ok(times.length > 1400, `${times.length} in ten hours: it is used, too`);
  }
});

t.test('the schedule is spread, and those who wait go before it', async (t) => {
  const clock = createFakeClock();
  const allowance = createAllowance(clock, perHour(100));
  const budget = createBudget({ requestsPerSecond: 50, concurrency: 16, clock, allowance });
  const went: [Lane, number][] = [];
  const ask = (lane: Lane) =>
    void budget.acquire({ lane }, never).then((release) => {
      went.push([lane, clock.now()]);
      release();
    });
  for (let index = 0; index < 50; index += 1) ask('background');
  await clock.advance(600_000);
  const first = went.length;
  t.ok(first > 10 && first < 20, `${first} in ten minutes`);
  ask('interactive');
  await clock.advance(1);
  t.strictSame(went.at(-1), ['interactive', 600_000], 'at once');
  await clock.advance(hourMs);
  t.equal(went.length, 51);
  t.equal(clock.pending, 0, 'nothing waits, nothing wakes');
});

t.test('a limit of one thing leaves others alone, and what costs nothing waits for none', async (t) => {
  const clock = createFakeClock();
  const limits = [{ meter: 'ssm', most: 1, perMs: 60_000, from: 'service' as const }];
  const allowance = createAllowance(clock, limits);
  allowance.use(false, { meter: 'ssm', units: 1 });
  t.ok(allowance.waitMs(false, { meter: 'ssm', units: 1 }) > 0);
  t.equal(allowance.waitMs(false, { meter: 'secretsmanager', units: 1 }), 0);
  t.equal(allowance.waitMs(true, { meter: 'ssm', units: 0 }), 0);
  t.strictSame(allowance.status(), [{ ...limits[0], used: 1 }]);
  await clock.advance(62_000);
  t.equal(allowance.waitMs(false, { meter: 'ssm', units: 1 }), 0);
  t.equal(allowance.waitMs(false, { meter: 'ssm', units: 5 }), 0, 'more than all of it goes alone');
  allowance.setLimits([{ ...perHour(5)[0], meter: 'reads', most: 5, perMs: hourMs, from: 'config' }]);
  t.match(allowance.asked(), { hour: 1, day: 1 });
});
