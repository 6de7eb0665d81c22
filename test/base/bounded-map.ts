import t from 'tap';
import { BoundedMap, RecentMap, WeighedMap } from '../../src/base/bounded-map.ts';

t.test('never has more than its most, and may change what it has', (t) => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1).set('b', 2).set('a', 3);
  t.strictSame(
    [...map],
    [
      ['a', 3],
      ['b', 2],
    ],
  );
  map.set('c', 4);
  t.strictSame([...map], [['c', 4]]);
  t.end();
});

t.test('keys that are long texts are fewer', (t) => {
  const map = new BoundedMap<string, number>(1000);
  const keyOf = (index: number) => `${index}${'x'.repeat(100_000)}`;
  for (let index = 0; index < 500; index++) {
    map.set(keyOf(index), index);
    map.set(keyOf(index), -index);
    t.equal(map.get(keyOf(index)), -index);
  }
  t.ok(map.size > 5 && map.size < 50, `${map.size} of them`);
  for (let index = 0; index < 500; index++) map.delete(keyOf(index));
  for (let index = 0; index < 40; index++) map.set(keyOf(index), index);
  t.equal(map.size, 40, 'what was taken away does not count');
  t.end();
});

t.test('what was set longest ago makes room', (t) => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
  t.strictSame(
    [...map],
    [
      ['a', 3],
      ['c', 4],
    ],
  );
  t.end();
});

t.test('what was set longest ago makes room for what is heavy', (t) => {
  const map = new RecentMap<string, number>(4, { heaviest: 10, weightOf: (value) => value });
  map.set('a', 4).set('b', 4).set('a', 5).set('c', 5);
  t.strictSame([...map.keys()], ['a', 'c'], 'the one that was not set again');
  map.delete('a');
  map.set('d', 5);
  t.strictSame([...map.keys()], ['c', 'd'], 'what was taken away does not count');
  map.set('e', 50);
  t.strictSame([...map.keys()], ['e'], 'one is kept, however heavy');
  map.clear();
  map.set('f', 1).set('g', 9);
  t.strictSame([...map.keys()], ['f', 'g']);
  t.end();
});

t.test('a weighed map forgets all before it holds more than it may', (t) => {
  const map = new WeighedMap<string, { weight: number }>(3, 10);
  map.set('a', { weight: 4 }).set('b', { weight: 4 });
  map.set('a', { weight: 6 });
  t.strictSame([...map.keys()], ['b', 'a'], 'another in the same place counts instead of it');
  map.delete('b');
  map.set('c', { weight: 4 });
  t.strictSame([...map.keys()], ['a', 'c'], 'what was taken away does not count');
  map.set('d', { weight: 1 });
  t.strictSame([...map.keys()], ['d']);
  map.set('e', { weight: 1 }).set('f', { weight: 1 }).set('g', { weight: 9 });
  t.strictSame([...map.keys()], ['g'], 'and no more than so many');
  map.set('h', { weight: 11 });
  t.strictSame([...map.keys()], ['h'], 'one that is too heavy stands alone');
  map.set('i', { weight: 1 });
  t.strictSame([...map.keys()], ['i']);
  t.end();
});
