// Which compilers of V8 run when: by V8's own word.
import { setFlagsFromString } from 'node:v8';
import t from 'tap';
import { tuneCompilers, tuneHeap } from '../../../src/agent/host/tune-heap.ts';
import { loadAsNodeWasMade } from '../../../src/base/v8-options.ts';

type Compilers = Readonly<Record<'turbofan' | 'maglev' | 'sparkplug', boolean>>;

function compilers(): Compilers {
  setFlagsFromString('--allow-natives-syntax');
  const text =
    'return { turbofan: %IsTurbofanEnabled(), maglev: %IsMaglevEnabled(), sparkplug: %IsSparkplugEnabled() }';
  const ask = new Function(text) as () => Compilers;
  setFlagsFromString('--no-allow-natives-syntax');
  return ask();
}

t.test('a start goes without compilers, an agent that runs has the optimizing one', (t) => {
  const asMade = compilers();
  t.strictSame(loadAsNodeWasMade(compilers), asMade, 'nothing was changed yet');
  tuneCompilers();
  t.strictSame(compilers(), { turbofan: false, maglev: false, sparkplug: false });
  t.strictSame(loadAsNodeWasMade(compilers), asMade, 'what Node keeps compiled is taken as it was made');
  t.strictSame(compilers(), { turbofan: false, maglev: false, sparkplug: false });
  tuneHeap();
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
  t.end();
});
