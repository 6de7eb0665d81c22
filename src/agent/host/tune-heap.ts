// Tells V8 that this process will rest for hours: a heap that is collected when it has grown by a fifth (V8 would let it
// double and more on a large machine), and one optimizing compiler. On the command line these options would cost every
// short command what Node keeps compiled of itself: V8 takes that only under the options that it was made with.

/** Before the code that works for long is loaded: what was compiled before stays as it is. */
export function tuneHeap(): void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const flag of ['--heap-growing-percent=20', '--no-maglev', '--no-sparkplug']) setFlagsFromString(flag);
}
