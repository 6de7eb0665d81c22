import t from 'tap';
import { BoundedMap, RecentMap } from '../../src/base/bounded-map.ts';

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
