import t from 'tap';
import { headlineOf } from '../../src/api/headline.ts';

t.test('the verdict comes first, what is wrong after it', (t) => {
  t.equal(headlineOf({ ready: true, degraded: [] }), 'ready');
  t.equal(
    headlineOf({ ready: true, degraded: ['vault sealed', '4 secrets stale'] }),
    'ready, degraded: vault sealed, 4 secrets stale',
  );
  t.equal(headlineOf({ ready: false, degraded: [] }), 'not ready');
  t.end();
});
