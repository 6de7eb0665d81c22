// When memory is given back: soon after the start, and a minute after a change that has left much of it behind.
import { getHeapStatistics } from 'node:v8';
import t from 'tap';
import { startMemoryTrim } from '../../../src/agent/host/trim-memory.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const heapMiB = (): number => getHeapStatistics().total_heap_size / 2 ** 20;

function burst(): void {
  const kept = Array.from({ length: 300_000 }, (_, index) => ({ index, name: `n${index}` }));
  t.equal(kept.length, 300_000);
}

t.test('what a burst left behind is given back a minute after the last change', async (t) => {
  const clock = createFakeClock();
  let change = (): void => undefined;
  const stop = startMemoryTrim(clock, (listener) => {
    change = listener;
    return () => undefined;
  });
  await clock.advance(2000);
  change();
  await clock.advance(60_000);
  t.equal(clock.pending, 0, 'nothing wakes it at rest');
  for (let round = 0; round < 3; round += 1) {
    const before = heapMiB();
    burst();
    const after = heapMiB();
    t.ok(after > before + 8, `${before} MiB, then ${after}`);
    change();
    await clock.advance(59_000);
    t.ok(heapMiB() > before + 8, 'not yet');
    await clock.advance(1000);
    t.ok(heapMiB() < before + 4, `${heapMiB()} MiB again`);
    t.equal(clock.pending, 0);
  }
  stop();
});
