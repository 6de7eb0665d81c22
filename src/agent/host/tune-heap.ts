// Tells V8 that this process will rest for hours: a heap that is collected when it has grown by a fifth (V8 would let it
// double and more on a large machine), and one optimizing compiler. On the command line these options would cost every
// command what Node keeps compiled of itself: V8 takes that only under the options that it was made with.
import module from 'node:module';
import { setFlagsFromString } from 'node:v8';

/** To be called when all code that a start needs is loaded; what is compiled later is compiled again each time. */
export function tuneHeap(): void {
  // What V8 keeps of ours bears the options of the moment at which it is written down, too.
  module.flushCompileCache();
  for (const flag of ['--heap-growing-percent=20', '--no-maglev', '--no-sparkplug']) setFlagsFromString(flag);
}
