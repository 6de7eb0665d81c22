// One thorough collection when the start is over: what it left behind would else stay resident for hours, as free pages that
// V8 keeps for a next burst.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { execution: 'sync'; flavor: 'last-resort' | 'regular'; type: 'major' }) => void;

/** As V8 has it by itself: how many collections compiled code outlives that does not run. */
const ageOfCode = 6;

/** Takes milliseconds for tens of MiB; nothing else runs meanwhile. */
export function collectGarbage(): void {
  const collect = collector();
  collect({ execution: 'sync', flavor: 'last-resort', type: 'major' });
}

/**
 * Takes back what is compiled of functions that did not run since the last collection, be they needed no more: those of the
 * start. The others stay: one that is wanted again is compiled and learnt again.
 */
export function forgetUnusedCode(): void {
  const collect = collector();
  setFlagsFromString('--bytecode-old-age=1');
  try {
    // In one pass: each makes all code older by one, and only running makes it young again.
    collect({ execution: 'sync', flavor: 'regular', type: 'major' });
  } finally {
    setFlagsFromString(`--bytecode-old-age=${ageOfCode}`);
  }
}

function collector(): Collect {
  // Node hands the function out only where it was started with this option; a fresh context has it from now on.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return collect;
}
