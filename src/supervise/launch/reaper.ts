// Reaps orphans where the agent is pid 1 of a container: the kernel gives them to it, and Node waits for its own children
// only. It never touches those.

import { readdirSync } from 'node:fs';
import type { Logger } from '../../base/logger.ts';
import { waitpid } from '../../base/system/libc.ts';
import { readProcessStat } from '../../base/system/process-identity.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createEarliestTimer } from '../../base/time/earliest-timer.ts';
import { isOwnChild } from './child.ts';

export interface Reaper {
  close(): void;
}

interface ReaperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Node reaps a child of its own in the turn in which it ends; what is still a zombie after this was somebody else's. */
const settleMs = 1000;
const noHang = 1;

/** Does nothing unless the agent is pid 1. */
export function startReaper({ clock, logger }: ReaperOptions): Reaper {
  if (process.pid !== 1) return { close: () => undefined };
  let suspects = new Set<string>();
  const timer = createEarliestTimer(clock, scan);

  function scan(): void {
    const zombies = findZombies().filter(({ pid }) => !isOwnChild(pid));
    // Twice seen, with turns of the event loop in between: waiting for one of Node's own would lose its exit.
    const sure = zombies.filter(({ key }) => suspects.has(key));
    for (const { pid } of sure) waitpid(pid, null, noHang);
    if (sure.length > 0) logger.debug({ count: sure.length }, 'orphans were reaped');
    suspects = new Set(zombies.map(({ key }) => key));
    if (suspects.size > 0) schedule();
  }

  /** The kernel sends CHLD for each orphan that ends, and for those that had ended when they became ours. */
  function schedule(): void {
    timer.within(settleMs);
  }

  process.on('SIGCHLD', schedule);
  schedule();
  return {
    close() {
      timer.cancel();
      process.off('SIGCHLD', schedule);
    },
  };
}

interface Zombie {
  readonly pid: number;
  /** Pid and start time: a pid that was given to another one is another key. */
  readonly key: string;
}

function findZombies(): Zombie[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const { state, parent, startTime } = readProcessStat(Number(name)) ?? {};
    return state === 'Z' && parent === 1 ? [{ pid: Number(name), key: `${name} ${startTime}` }] : [];
  });
}
