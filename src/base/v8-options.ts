// The options of V8 that an agent changes while it runs. What Node keeps compiled of itself V8 takes only under the options
// that Node was made with, so what is loaded of Node later is loaded under those.
import { setFlagsFromString } from 'node:v8';

/** What those that are ever changed are by themselves. */
const asMade = [
  '--maglev',
  '--sparkplug',
  '--turbofan',
  '--parallel-scavenge',
  '--heap-growing-percent=0',
] as const;

type V8Option = '--no-maglev' | '--no-sparkplug' | '--no-turbofan' | '--no-parallel-scavenge';

let now: readonly string[] = [];

/** From now on these, and all others as they are by themselves. */
export function setV8Options(...options: readonly (V8Option | `--heap-growing-percent=${number}`)[]): void {
  now = [...asMade, ...options];
  apply(now);
}

/** Loads something of Node itself. */
export function loadAsNodeWasMade<Loaded>(load: () => Loaded): Loaded {
  if (now.length === 0) return load();
  apply(asMade);
  try {
    return load();
  } finally {
    apply(now);
  }
}

function apply(options: readonly string[]): void {
  for (const option of options) setFlagsFromString(option);
}
