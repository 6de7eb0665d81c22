// The record of what somebody else did to a file: for the log, the counters, and `explain`.

import { isWorthTelling, nextDrift } from '../../base/drift-policy.ts';
import type { Logger } from '../../base/logger.ts';
import { differenceOf, type FileDifference, printAt } from '../../base/paths/file-print.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { ManagedFile } from '../file-set.ts';
import type { FileObserver } from '../transaction/ports.ts';

export interface DriftTools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: FileObserver;
}

/** What was done, in words that follow `somebody else`. */
export const driftWords: Readonly<Record<FileDifference, string>> = {
  deleted: 'deleted the file',
  content: 'changed the content of the file',
  mode: 'changed the mode of the file',
  owner: 'changed the owner of the file',
};

/** `isOpen`: it is left so. */
export function noteDrift(file: ManagedFile, what: FileDifference, isOpen: boolean, tools: DriftTools): void {
  const { destination } = file.config;
  file.drift = { ...nextDrift(file.drift, what, tools.clock.wall()), isOpen };
  tools.observer.drifted?.(destination, what);
  if (!isWorthTelling(file.drift)) return;
  tools.logger.warn(
    { destination, what, count: file.drift.count },
    `somebody else ${driftWords[what]}: ${isOpen ? 'it is left so (on_drift: report)' : 'it was put right'}`,
  );
}

/** Programs that are told of a file may give it to whom they want, where the config names nobody. */
export async function acceptOwner(file: ManagedFile): Promise<void> {
  if (file.config.owner !== undefined || file.config.notify.length === 0) return;
  for (const [destination, print] of file.prints) {
    const now = await printAt(destination);
    if (differenceOf(print, now) === 'owner') file.prints.set(destination, now);
  }
}
