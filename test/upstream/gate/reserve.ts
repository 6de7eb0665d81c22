import t from 'tap';
import { createReserve } from '../../../src/upstream/gate/reserve.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const told = (limit: number, remaining: number, reset: number) => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(remaining),
  'x-ratelimit-reset': String(reset),
});

t.test('callers leave a quarter of a window to the agent, in every window', async (t) => {
  const clock = createFakeClock();
  const reserve = createReserve(clock);
  reserve.agentAnswered(told(20, 19, 59));
  let left = 19;
  for (let round = 0; round < 3; round += 1) {
    while (reserve.waitMs('kv/') === 0) {
      left -= 1;
      reserve.callerAnswered('kv/', told(20, left, 59));
    }
    t.equal(left, 5);
    t.ok(reserve.waitMs('kv/') > 59_000);
    t.equal(reserve.waitMs('other/'), 0, 'nothing is known of other mounts');
    await clock.advance(60_000);
    left = 20;
  }
});

t.test('requests that are under way count', async (t) => {
  const reserve = createReserve(createFakeClock());
  reserve.agentAnswered(told(20, 19, 59));
  reserve.callerAnswered('kv/', told(20, 8, 59));
  const leave = reserve.enter('kv/');
  reserve.enter('kv/');
  t.equal(reserve.waitMs('kv/'), 0);
  reserve.enter('kv/');
  t.not(reserve.waitMs('kv/'), 0);
  leave();
  t.equal(reserve.waitMs('kv/'), 0);
});

t.test('an answer that was overtaken gives nothing back', async (t) => {
  const reserve = createReserve(createFakeClock());
  reserve.agentAnswered(told(20, 19, 59));
  reserve.callerAnswered('kv/', told(20, 5, 59));
  reserve.callerAnswered('kv/', told(20, 6, 59));
  t.not(reserve.waitMs('kv/'), 0);
});

t.test('a limit that concerns callers alone, and a short window, are theirs to use up', async (t) => {
  const clock = createFakeClock();
  const reserve = createReserve(clock);
  reserve.callerAnswered('kv/', told(2, 0, 59));
  t.equal(reserve.waitMs('kv/'), 0, 'the agent never met it');
  reserve.agentAnswered(told(100, 3, 0));
  reserve.callerAnswered('fast/', told(100, 1, 0));
  t.equal(reserve.waitMs('fast/'), 0);
});

t.test('of a limit of one request callers have that one', async (t) => {
  const reserve = createReserve(createFakeClock());
  reserve.agentAnswered(told(1, 0, 9));
  reserve.callerAnswered('kv/', told(1, 1, 9));
  t.equal(reserve.waitMs('kv/'), 0);
  reserve.callerAnswered('kv/', told(1, 0, 9));
  t.not(reserve.waitMs('kv/'), 0);
});

t.test('headers that are no numbers, or tell of days, are not heeded; the quota taken away is', async (t) => {
  const reserve = createReserve(createFakeClock());
  for (const headers of [told(20, -1, 5), told(20, 0, 1e9), { 'x-ratelimit-limit': 'x' }]) {
    reserve.agentAnswered(headers);
    reserve.callerAnswered('kv/', headers);
    t.equal(reserve.waitMs('kv/'), 0);
  }
  reserve.agentAnswered(told(20, 5, 59));
  reserve.callerAnswered('kv/', told(20, 5, 59));
  t.not(reserve.waitMs('kv/'), 0);
  reserve.callerAnswered('kv/', {});
  t.equal(reserve.waitMs('kv/'), 0);
});
