// Reaps orphans where the agent is pid 1 of a container: the kernel gives them to it, and Node waits for its own children
// only. It never touches those.
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
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
const scanMs = 5000;

/** Does nothing unless the agent is pid 1. */
export async function startReaper({ clock, logger }: ReaperOptions): Promise<Reaper> {
  if (process.pid !== 1) return { close: () => undefined };
  const waitpid = await loadWaitpid();
  let suspects = new Set<string>();
  let timer: Timer | undefined;
  let isSoon = false;

  function scan(): void {
    const zombies = findZombies().filter(({ pid }) => !isOwnChild(pid));
    // Twice seen, with turns of the event loop in between: waiting for one of Node's own would lose its exit.
    const sure = zombies.filter(({ key }) => suspects.has(key));
    for (const { pid } of sure) waitpid(pid);
    if (sure.length > 0) logger.debug({ count: sure.length }, 'orphans were reaped');
    suspects = new Set(zombies.map(({ key }) => key));
    schedule(suspects.size > 0);
  }

  function schedule(soon: boolean): void {
    timer?.cancel();
    isSoon = soon;
    timer = clock.setTimer(soon ? settleMs : scanMs, scan);
  }

  const onChild = () => {
    if (!isSoon) schedule(true);
  };
  process.on('SIGCHLD', onChild);
  schedule(true);
  return {
    close() {
      timer?.cancel();
      process.off('SIGCHLD', onChild);
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
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const startTime = rest[17];
      return state === 'Z' && parent === '1' ? [{ pid: Number(name), key: `${name} ${startTime}` }] : [];
    } catch {
      return []; // it went away while we looked
    }
  });
}

const noHang = 1;

/** koffi is loaded only here, for the one who needs it. */
async function loadWaitpid(): Promise<(pid: number) => void> {
  const { default: koffi } = await import('koffi');
  const waitpid = koffi.load(null).func('int waitpid(int pid, void *status, int options)') as (
    pid: number,
    status: null,
    options: number,
  ) => number;
  return (pid) => void waitpid(pid, null, noHang);
}
