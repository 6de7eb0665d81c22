import t from 'tap';
import { createLimit } from '../../../src/files/transaction/limit.ts';

t.test('lets so many run at a time, in order, also past failures', async (t) => {
  const limit = createLimit(2);
  const order: number[] = [];
  let [running, most] = [0, 0];
  const results = await Promise.allSettled(
    [0, 1, 2, 3, 4].map((number) =>
      limit(async () => {
        running += 1;
        most = Math.max(most, running);
        order.push(number);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        if (number === 1) throw new Error('no');
        return number;
      }),
    ),
  );
  t.equal(most, 2);
  t.strictSame(order, [0, 1, 2, 3, 4]);
  t.strictSame(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
});
