// Whether one of the objects that Node makes for ticks outlives a collection: with none V8 forgets how they look.
import { createHook } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { keepTickShape } from '../../../src/agent/host/keep-tick-shape.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function ticksThatStay(act: () => void): Promise<number> {
  const ticks: WeakRef<object>[] = [];
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'TickObject') ticks.push(new WeakRef(resource));
    },
  });
  hook.enable();
  act();
  hook.disable();
  t.ok(ticks.length > 0, 'ticks were made');
  // A weak reference holds until the turn in which it was made is over.
  for (let round = 0; round < 5; round += 1) {
    await turn();
    collect();
  }
  return ticks.filter((tick) => tick.deref() !== undefined).length;
}

t.test('one object of a tick stays, others go', async (t) => {
  t.equal(await ticksThatStay(() => process.nextTick(() => undefined)), 0);
  t.equal(await ticksThatStay(keepTickShape), 1);
});
