// One thorough collection when the start is over: what it left behind would else stay resident for hours, as free pages that
// V8 keeps for a next burst.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { execution: 'sync'; flavor: 'last-resort'; type: 'major' }) => void;

/** Takes milliseconds for tens of MiB; nothing else runs meanwhile. */
export function collectGarbage(): void {
  // Node hands the function out only where it was started with this option; a fresh context has it from now on.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  collect({ execution: 'sync', flavor: 'last-resort', type: 'major' });
}
