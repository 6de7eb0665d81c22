// Who may have how many of the connections of a listener. One count for the whole process too, by the descriptors that it
// may open.
import { readFileSync } from 'node:fs';
import type { Standing } from '../../access/access-policy.ts';
import { createShares, sharesOf } from './shares.ts';

export interface ConnectionShares {
  /** Undefined: there is no room for another of theirs. Else what gives the place back. */
  take(user: string, standing: Standing): (() => void) | undefined;
  readonly count: number;
}

/** All connections of the process. */
export interface DescriptorBudget {
  readonly most: number;
  count: number;
}

/** A connection takes a descriptor, and its process another, which is shared. */
const descriptorsOfConnection = 2;
const mostForFiles = 1024;

/** Of the descriptors that the process may open; a part stays for files, programs and upstreams. */
export function createDescriptorBudget(limit = openFilesLimit()): DescriptorBudget {
  const forFiles = Math.min(mostForFiles, Math.ceil(limit / 2));
  return { most: Math.max(4, Math.floor((limit - forFiles) / descriptorsOfConnection)), count: 0 };
}

function openFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'latin1');
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.MAX_SAFE_INTEGER : Number(soft);
}

/** `most` is asked each time: a reload may change it. */
export function createConnectionShares(most: () => number, budget: DescriptorBudget): ConnectionShares {
  const shares = createShares(() => Math.min(most(), budget.most));

  function hasRoom(user: string, standing: Standing): boolean {
    const left = standing === 'owner' ? budget.most : sharesOf(budget.most).ruled;
    return budget.count < left && shares.hasRoom(user, standing);
  }

  return {
    take(user, standing) {
      if (!hasRoom(user, standing)) return undefined;
      shares.add(user, standing, 1);
      budget.count += 1;
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        shares.add(user, standing, -1);
        budget.count -= 1;
      };
    },
    get count() {
      return shares.total;
    },
  };
}
