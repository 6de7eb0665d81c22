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
