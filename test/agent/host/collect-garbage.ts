import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { collectGarbage } from '../../../src/agent/host/collect-garbage.ts';

t.test('takes back what nobody uses, and leaves no way to do so to others', async (t) => {
  const reference = new WeakRef({ name: 'garbage' });
  await setImmediate(); // a reference that was just made holds its object to the end of the turn
  collectGarbage();
  t.equal(reference.deref(), undefined);
  t.notOk('gc' in globalThis);
});
