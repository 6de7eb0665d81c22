import t from 'tap';
import { defaultEntryPolicy, mergePolicies } from '../../src/store/entry.ts';

t.test('of two wishes the stricter counts', async (t) => {
  const merged = mergePolicies(
    {
      refreshMs: 10,
      maxStaleMs: 500,
      onStale: 'keep',
      onRemoved: 'fail',
      onDenied: 'keep',
      overlapMs: 5,
      onExit: 'keep',
    },
    { refreshMs: 20, onStale: 'expire', onRemoved: 'keep', onDenied: 'keep', overlapMs: 9, onExit: 'revoke' },
  );
  t.same(merged, {
    refreshMs: 10,
    maxStaleMs: 500,
    onStale: 'expire',
    onRemoved: 'fail',
    onDenied: 'keep',
    overlapMs: 9,
    onExit: 'revoke',
  });
  t.same(mergePolicies(defaultEntryPolicy, defaultEntryPolicy), defaultEntryPolicy);
});
