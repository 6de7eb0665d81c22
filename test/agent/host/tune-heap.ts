// Which compilers of V8 run when: by V8's own word.
import { setFlagsFromString } from 'node:v8';
import t from 'tap';
import { tuneHeap } from '../../../src/agent/host/tune-heap.ts';
import { loadAsNodeWasMade } from '../../../src/base/v8-options.ts';
import { waitFor } from '../../support/wait-for.ts';

type Compilers = Readonly<Record<'turbofan' | 'maglev' | 'sparkplug', boolean>>;

function compilers(): Compilers {
  setFlagsFromString('--allow-natives-syntax');
  const text =
    'return { turbofan: %IsTurbofanEnabled(), maglev: %IsMaglevEnabled(), sparkplug: %IsSparkplugEnabled() }';
  const ask = new Function(text) as () => Compilers;
  setFlagsFromString('--no-allow-natives-syntax');
  return ask();
}

t.test('a start goes without compilers, an what runs on has the optimizing one', async (t) => {
  const asMade = compilers();
  t.strictSame(loadAsNodeWasMade(compilers), asMade, 'nothing was changed yet');
  tuneHeap(0);
  t.strictSame(compilers(), { turbofan: false, maglev: false, sparkplug: false });
  t.strictSame(loadAsNodeWasMade(compilers), asMade, 'what Node keeps compiled is taken as it was made');
  t.strictSame(compilers(), { turbofan: false, maglev: false, sparkplug: false });
  await waitFor('the optimizing compiler', () => compilers().turbofan);
  t.strictSame(compilers(), { turbofan: true, maglev: false, sparkplug: false });
  t.strictSame(loadAsNodeWasMade(compilers), asMade);
  t.strictSame(compilers(), { turbofan: true, maglev: false, sparkplug: false });
  t.throws(
    () =>
      loadAsNodeWasMade(() => {
        throw new Error('no such module');
      }),
    /no such module/,
  );
  t.strictSame(compilers(), { turbofan: true, maglev: false, sparkplug: false });
});
