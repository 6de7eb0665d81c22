import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { PassingMap } from '../../src/base/passing-map.ts';

t.test('keeps what is there in the order in which it came, whatever went', async (t) => {
  const map = new PassingMap<number, string>();
  for (let index = 0; index < 100; index += 1) map.set(index, `value ${index}`);
  for (let index = 0; index < 90; index += 1) map.delete(index);
  t.equal(map.delete(0), false);
  t.equal(map.size, 10);
  t.equal(map.first(), 90);
  t.equal(map.get(95), 'value 95');
  t.same([map.has(89), map.has(90)], [false, true]);
  t.same(map.keys(), [90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  t.equal(map.values().at(-1), 'value 99');
  for (const key of map.keys()) map.delete(key);
  t.same([map.size, map.first()], [0, undefined]);
});

t.test('what went is gone with the next collection of the young', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
  // V8 may be about something else while one of them is counted.
  const left = Math.min(...Array.from({ length: 5 }, () => bytesLeftOfTenMegabytes(collect)));
  t.ok(left < 5 * 1024 * 1024, `${left} bytes are left`);
});

/** Of what went through it; a Map keeps all of it. */
function bytesLeftOfTenMegabytes(collect: (options: { type: 'minor' | 'major' }) => void): number {
  const map = new PassingMap<object, true>();
  let open: object[] = [];
  collect({ type: 'major' });
  const before = getHeapStatistics().used_heap_size;
  for (let round = 0; round < 500; round += 1) {
    for (const one of open) map.delete(one);
    open = Array.from({ length: 20 }, () => ({ kept: new Array(100).fill(0) }));
    for (const one of open) map.set(one, true);
    collect({ type: 'minor' });
  }
  for (const one of open) map.delete(one);
  open = [];
  collect({ type: 'minor' });
  return getHeapStatistics().used_heap_size - before;
}
