// Tells V8 that this process will rest for hours: a heap that is collected when it has grown by a fifth (V8 would let it
// double and more on a large machine), one optimizing compiler, and a young generation so small that a second thread to
// collect it costs more than it takes over: on a busy host the first one would wait for it.
import module from 'node:module';
import { setV8Options } from '../../base/v8-options.ts';
import { keepTickShape } from './keep-tick-shape.ts';

const lasting = ['--no-maglev', '--no-sparkplug', '--no-parallel-scavenge'] as const;

/** What a start needs of Node. V8 takes what Node keeps compiled of itself only under the options that it was made with. */
const neededOfNode = [
  'assert',
  'child_process',
  'crypto',
  'fs/promises',
  'http',
  'os',
  'stream/consumers',
  'timers/promises',
  'vm',
  'worker_threads',
];

/** How long a start without compilers lasts at the most, whatever it waits for. In milliseconds. */
const longestStartMs = 2000;

/**
 * To be called before code of ours is loaded: what is kept compiled of it bears these options too. After `startMs` the
 * options are those of a program that runs on, also of one that is no agent or that is not ready by then.
 */
export function tuneHeap(startMs = longestStartMs): void {
  keepTickShape();
  for (const id of neededOfNode) process.getBuiltinModule(id);
  // Most of what a start runs is over before it would have been optimized, and most of what it makes is there to stay.
  setV8Options(...lasting, '--no-turbofan', '--heap-growing-percent=900');
  setTimeout(endStart, startMs).unref();
}

function endStart(): void {
  // All that a start runs is compiled by now, and the next start finds it under the options that hold until here.
  module.flushCompileCache();
  setV8Options(...lasting, '--heap-growing-percent=20');
}
