// Lets go of the pages of Node's own program that the start has read: the kernel maps sixteen at each touch, so that half a start
// later nearly all of the program counts as resident. What the agent at rest still runs comes back from the page cache, as
// it would after a time without memory to spare.
import { readFileSync } from 'node:fs';
import { madvise } from '../../base/system/libc.ts';

const dontNeed = 4;
const header = /^(?<from>[0-9a-f]+)-(?<to>[0-9a-f]+) r-[x-]p /;
const nextHeader = /\n[0-9a-f]+-[0-9a-f]+ /g;

/** Only mappings that nobody can write to, and that hold no page of our own (of relocations): there is nothing to lose. */
export function releaseProgramPages(): void {
  const all = readFileSync('/proc/self/smaps', 'latin1');
  const name = ` ${process.execPath}\n`;
  for (let at = all.indexOf(name); at !== -1; at = all.indexOf(name, at + 1)) {
    const { from, to } = header.exec(all.slice(all.lastIndexOf('\n', at) + 1, at))?.groups ?? {};
    nextHeader.lastIndex = at + name.length;
    const counts = all.slice(at, nextHeader.exec(all)?.index);
    if (from === undefined || to === undefined || !/^Anonymous: +0 kB$/m.test(counts)) continue;
    const start = Number.parseInt(from, 16);
    madvise(start, Number.parseInt(to, 16) - start, dontNeed);
  }
}
