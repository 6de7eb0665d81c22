// Who may have how many of the connections: those without a rule few, one user never all, and root and the agent's own
// user always some. One count for the whole process too, by the descriptors that it may open.
import { readFileSync } from 'node:fs';
import type { Standing } from '../../access/access-policy.ts';

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

/** Shares of `most` connections. Small numbers leave one to each. */
export function sharesOf(most: number): {
  oneUser: number;
  strangers: number;
  oneStranger: number;
  ruled: number;
} {
  const part = (share: number): number => Math.max(1, Math.floor(most * share));
  return {
    oneUser: part(3 / 4),
    strangers: part(1 / 16),
    oneStranger: part(1 / 64),
    ruled: most - Math.floor(most / 16),
  };
}

/** `most` is asked each time: a reload may change it. */
export function createConnectionShares(most: () => number, budget: DescriptorBudget): ConnectionShares {
  const users = new Map<string, number>();
  const counts = { owner: 0, ruled: 0, stranger: 0 };
  const total = (): number => counts.owner + counts.ruled + counts.stranger;

  function hasRoom(user: string, standing: Standing): boolean {
    const all = Math.min(most(), total() + budget.most - budget.count);
    if (total() >= all) return false;
    if (standing === 'owner') return true;
    const { oneUser, strangers, oneStranger, ruled } = sharesOf(Math.min(most(), budget.most));
    const ofUser = users.get(user) ?? 0;
    if (budget.count >= sharesOf(budget.most).ruled || counts.ruled + counts.stranger >= ruled) return false;
    if (standing === 'ruled') return ofUser < oneUser;
    return counts.stranger < strangers && ofUser < oneStranger;
  }

  return {
    take(user, standing) {
      if (!hasRoom(user, standing)) return undefined;
      users.set(user, (users.get(user) ?? 0) + 1);
      counts[standing] += 1;
      budget.count += 1;
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        const left = (users.get(user) ?? 1) - 1;
        if (left > 0) users.set(user, left);
        else users.delete(user);
        counts[standing] -= 1;
        budget.count -= 1;
      };
    },
    get count() {
      return total();
    },
  };
}
