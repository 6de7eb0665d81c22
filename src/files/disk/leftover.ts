// The names of what a transaction leaves beside a destination while it runs, and who made it: leftovers of a process that
// is gone are swept at the next start, those of one that lives are not touched.
import { randomBytes } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { processStartTime } from '../../base/process-identity.ts';

export type LeftoverKind = 'staged' | 'previous' | 'journal';

const pattern = /^\.latchkey-(staged|previous|journal)-(\d+)\.([0-9a-z]+)-[0-9a-f]{12}(?:-|\.|$)/;
const longestName = 255;
let ownStamp: string | undefined;

/** `.latchkey-staged-PID.START-RANDOM-app.conf`: hidden, unique, with the destination's own ending. */
export function leftoverName(kind: LeftoverKind, name: string): string {
  ownStamp ??= `${process.pid}.${startTime(process.pid) ?? '0'}`;
  const start = `.latchkey-${kind}-${ownStamp}-${randomBytes(6).toString('hex')}-`;
  const room = longestName - Buffer.byteLength(start);
  const last = basename(name);
  return start + (Buffer.byteLength(last) <= room ? last : extname(last).slice(0, 32));
}

/** Whether the name is one of ours, made by a process that does not run any more. */
export function isLeftover(name: string, kind?: LeftoverKind): boolean {
  const [, found, pid, start] = pattern.exec(name) ?? [];
  if (found === undefined || (kind !== undefined && found !== kind)) return false;
  return startTime(Number(pid)) !== start;
}

/** The names of leftovers in a folder; none when it cannot be read. */
export async function findLeftovers(folder: string, kind?: LeftoverKind): Promise<string[]> {
  // A folder that is gone or closed to us holds nothing that we could remove.
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => isLeftover(name, kind)).map((name) => join(folder, name));
}

/** Removes what transactions of dead processes left in these folders, save `kept`; tells how many there were. */
export async function sweepLeftovers(folders: Iterable<string>, kept: ReadonlySet<string>): Promise<number> {
  let count = 0;
  for (const folder of new Set(folders)) {
    for (const path of await findLeftovers(folder)) {
      if (kept.has(path)) continue;
      // What cannot be removed now (a folder gone read-only) is found again at the next start.
      await unlink(path).then(
        () => {
          count += 1;
        },
        () => undefined,
      );
    }
  }
  return count;
}

/** The start time in base 36, as names hold it. */
function startTime(pid: number): string | undefined {
  const ticks = processStartTime(pid);
  return ticks === undefined ? undefined : Number(ticks).toString(36);
}
