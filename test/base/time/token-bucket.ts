import t from 'tap';
import { tokensIn } from '../../../src/base/time/token-bucket.ts';

t.test('is full at first, fills at its rate, and never beyond its limit', (t) => {
  const filling = { most: 20, count: 10, inMs: 1000 };
  t.equal(tokensIn(undefined, filling, 5000), 20);
  t.equal(tokensIn({ tokens: 3, at: 5000 }, filling, 5000), 3);
  t.equal(tokensIn({ tokens: 3, at: 5000 }, filling, 5500), 8);
  t.equal(tokensIn({ tokens: 3, at: 5000 }, filling, 60_000), 20);
  t.end();
});
