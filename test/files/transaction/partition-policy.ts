import t from 'tap';
import { partitionBySharedKeys } from '../../../src/files/transaction/partition-policy.ts';

const split = (...items: string[]): string[][] => partitionBySharedKeys(items, (item) => item.split(''));

t.test('items without a shared key go alone', (t) => {
  t.strictSame(split('a', 'b', 'c'), [['a'], ['b'], ['c']]);
  t.strictSame(
    partitionBySharedKeys(['x', 'y'], () => []),
    [['x'], ['y']],
  );
  t.end();
});

t.test('items that share a key go together, also through others', (t) => {
  t.strictSame(split('ab', 'c', 'bd'), [['ab', 'bd'], ['c']]);
  t.strictSame(split('a', 'b', 'ab', 'c'), [['a', 'b', 'ab'], ['c']]);
  t.strictSame(split('a', 'b', 'c', 'abc', 'c'), [['a', 'b', 'c', 'abc', 'c']]);
  t.end();
});
