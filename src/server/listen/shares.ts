// How much of what all share one caller may have: those without a rule little, one user never all, and root, the agent's own
// user and administrators always some.
import type { Standing } from '../../access/access-policy.ts';
import type { Caller } from '../../access/caller.ts';

export interface Shares {
  /** Whether they may have more. */
  hasRoom(user: string, standing: Standing): boolean;
  /** What they have more from now on; less than nothing gives back. */
  add(user: string, standing: Standing, amount: number): void;
  readonly total: number;
}

/** Shares of `most`. Small numbers leave one to each. */
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

/** One for all processes of a user, and one for all that a kind of caller without a process is. */
export function userOf(caller: Caller): string {
  if (caller.kind === 'process') return String(caller.uid);
  return caller.kind === 'token' ? (caller.tokens[0] ?? caller.kind) : caller.kind;
}

/** `most` is asked each time: a reload may change it. */
export function createShares(most: () => number): Shares {
  const users = new Map<string, number>();
  const sums = { owner: 0, ruled: 0, stranger: 0 };
  const total = (): number => sums.owner + sums.ruled + sums.stranger;

  return {
    hasRoom(user, standing) {
      const all = most();
      const used = total();
      if (used >= all) return false;
      if (standing === 'owner') return true;
      const { oneUser, strangers, oneStranger, ruled } = sharesOf(all);
      // Whoever they are.
      if (used < oneStranger) return true;
      if (sums.ruled + sums.stranger >= ruled) return false;
      const ofUser = users.get(user) ?? 0;
      if (standing === 'ruled') return ofUser < oneUser;
      return sums.stranger < strangers && ofUser < oneStranger;
    },
    add(user, standing, amount) {
      const now = (users.get(user) ?? 0) + amount;
      if (now > 0) users.set(user, now);
      else users.delete(user);
      sums[standing] += amount;
    },
    get total() {
      return total();
    },
  };
}
