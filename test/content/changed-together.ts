import t from 'tap';
import { watchChangedTogether } from '../../src/content/changed-together.ts';
import { createConsumerIndex } from '../../src/content/consumer-index.ts';
import { defaultEntryPolicy } from '../../src/store/entry.ts';
import { createReference } from '../../src/store/reference.ts';
import { createStore } from '../../src/store/store.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { answer } from '../support/render-fixture.ts';

t.test('when one secret changes, the others of its consumers are looked at, once', async (t) => {
  const clock = createFakeClock();
  const store = createStore({ clock });
  const index = createConsumerIndex({ store });
  const key = (name: string) =>
    store.open(createReference({ upstream: 'v', path: `secret/${name}` }), defaultEntryPolicy).key;
  const [a, b, c, other] = ['a', 'b', 'c', 'other'].map(key) as [string, string, string, string];
  for (const keys of [[a, b, c], [other]]) {
    for (const one of keys) index.add(one, { id: 'file:/x', noteChange: () => undefined, keys: () => keys });
  }
  const asked: (readonly string[])[] = [];
  const stop = watchChangedTogether({ store, index, clock, lookAgain: (keys) => asked.push(keys) });
  const publish = (one: string, value: string) => store.publish(one, answer({ v: value }), undefined);

  for (const one of [a, b, c, other]) publish(one, '1');
  t.strictSame(asked, [], 'what comes for the first time says nothing of the others');
  publish(a, '1');
  t.strictSame(asked, [], 'nor what is the same');
  publish(a, '2');
  t.strictSame(asked.splice(0), [[b, c]]);
  publish(b, '2');
  t.strictSame(asked.splice(0), [], 'those that were just looked at are not again');
  await clock.advance(3000);
  publish(b, '3');
  t.strictSame(asked.splice(0), [[a, c]]);
  publish(other, '2');
  t.strictSame(asked, [], 'alone in its file');
  stop();
});
