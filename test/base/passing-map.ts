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
