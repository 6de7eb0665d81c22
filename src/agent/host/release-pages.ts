// Lets go of the pages of Node's own program that the start has read: the kernel maps sixteen at each touch, so that half a start
// later nearly all of the program counts as resident. What the agent at rest still runs comes back from the page cache, as
// it would after a time without memory to spare.
import { readFileSync } from 'node:fs';
import { madvise } from '../../base/system/libc.ts';

const dontNeed = 4;
const mapping =
  /^(?<from>[0-9a-f]+)-(?<to>[0-9a-f]+) r-[x-]p \S+ \S+ \d+ +(?<path>\/.*)\n(?<counts>(?:[A-Z]\w+:.*\n)+)/gm;

/** Only mappings that nobody can write to, and that hold no page of our own (of relocations): there is nothing to lose. */
export function releaseProgramPages(): void {
  for (const { groups } of readFileSync('/proc/self/smaps', 'latin1').matchAll(mapping)) {
    if (groups?.['path'] !== process.execPath || !/^Anonymous: +0 kB$/m.test(groups['counts'] ?? ''))
      continue;
    const from = Number.parseInt(groups['from'] ?? '', 16);
    madvise(from, Number.parseInt(groups['to'] ?? '', 16) - from, dontNeed);
  }
}
