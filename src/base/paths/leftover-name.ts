// Names of files that are there for a moment only, and who made them: what a process that is gone has left is swept at the
// next start, what one that lives has made is not touched.
import { randomUUID } from 'node:crypto';
import { extname } from 'node:path';
import { processStartTime } from '../system/process-identity.ts';

export type LeftoverKind = 'staged' | 'previous' | 'journal';

const pattern = /^\.latchkey-(staged|previous|journal)-(\d+)\.([0-9a-z]+)-[0-9a-f]{12}(?:-|\.|$)/;
const longestName = 255;
const mostLookedAt = 2000;
let ownStamp: string | undefined;

/** `.latchkey-staged-PID.START-RANDOM-app.conf`: hidden, unique, with the destination's own ending. */
export function leftoverName(kind: LeftoverKind, name: string): string {
  ownStamp ??= `${process.pid}.${startTime(process.pid) ?? '0'}`;
  // The last part of one is all chance, and Node makes many at a time.
  const start = `.latchkey-${kind}-${ownStamp}-${randomUUID().slice(-12)}-`;
  const room = longestName - Buffer.byteLength(start);
  const last = name.slice(name.lastIndexOf('/') + 1);
  return start + (Buffer.byteLength(last) <= room ? last : extname(last).slice(0, 32));
}

/**
 * Of the names in a folder. Whoever can write there may have made up any number of them, and each costs a look: what is beyond a
 * few thousand is for the next start.
 */
export function leftoversAmong(names: readonly string[], kind?: LeftoverKind): string[] {
  const alike = names.filter((name) => pattern.test(name)).slice(0, mostLookedAt);
  return alike.filter((name) => isLeftover(name, kind));
}

/** Whether the name is one of ours, made by a process that does not run any more. */
export function isLeftover(name: string, kind?: LeftoverKind): boolean {
  const [, found, pid, start] = pattern.exec(name) ?? [];
  if (found === undefined || (kind !== undefined && found !== kind)) return false;
  return startTime(Number(pid)) !== start;
}

/** The start time in base 36, as names hold it. */
function startTime(pid: number): string | undefined {
  const ticks = processStartTime(pid);
  return ticks === undefined ? undefined : Number(ticks).toString(36);
}
