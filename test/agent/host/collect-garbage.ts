import { setImmediate } from 'node:timers/promises';
import { getHeapCodeStatistics } from 'node:v8';
import t from 'tap';
import { collectGarbage, forgetUnusedCode } from '../../../src/agent/host/collect-garbage.ts';

t.test('takes back what nobody uses, and leaves no way to do so to others', async (t) => {
  const reference = new WeakRef({ name: 'garbage' });
  await setImmediate(); // a reference that was just made holds its object to the end of the turn
  collectGarbage();
  t.equal(reference.deref(), undefined);
  t.notOk('gc' in globalThis);
});

t.test(
  'takes back what is compiled of a function that did not run since the last time, and of no other',
  (t) => {
    const made = (summand: number): ((x: number) => number) => {
      const lines = Array.from({ length: 5000 }, (_, index) => `x = x * ${index} + ${summand};`);
      return new Function('x', `${lines.join('\n')} return x;`) as (x: number) => number;
    };
    const compiled = (): number => getHeapCodeStatistics().bytecode_and_metadata_size;
    const [steady, ofStart] = [made(1), made(2)];
    steady(1);
    ofStart(1);
    collectGarbage();
    steady(1);
    forgetUnusedCode();
    const after = compiled();
    steady(1);
    t.equal(compiled(), after, 'what runs is there still');
    ofStart(1);
    t.ok(compiled() - after > 20_000, 'the other is compiled again');
    t.end();
  },
);
