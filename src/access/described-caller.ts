// A caller that is described, not connected: for `latchkey access test` and `POST /access/test`, which are one question.

import { LatchkeyError } from '../base/errors.ts';
import { findGroup, findUser, groupsOfUser } from '../base/system/accounts.ts';
import type { Access } from './access.ts';
import type { Ask, Decision, RuleExplanation } from './access-policy.ts';
import type { Caller } from './caller.ts';

/** One at least is named. What is not named is as of a process that no rule speaks of. */
export interface DescribedCaller {
  readonly user?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Names or ids of supplementary groups, beside those of the user's account. */
  readonly groups?: readonly string[] | undefined;
  readonly exe?: string | undefined;
  readonly unit?: string | undefined;
  readonly container?: string | undefined;
  /** The name that a rule may use for a listener's token; stands alone. */
  readonly token?: string | undefined;
}

/** The ids of nobody in particular (the overflow ids of the kernel). */
const nobody = 65_534;

/** Throws `usage` for a caller of whom nothing is told, and for accounts that do not exist. */
export function explainAccess(
  access: Access,
  described: DescribedCaller,
  ask: Ask,
): { decision: Decision; rules: RuleExplanation[] } {
  return access.explain(callerOf(described), ask);
}

function callerOf(described: DescribedCaller): Caller {
  const { user, uid, gid, groups = [], exe, unit, container, token } = described;
  if (token !== undefined) return { kind: 'token', tokens: [token] };
  const isNamed = [user, uid, gid, exe, unit, container].some((one) => one !== undefined);
  if (!isNamed && groups.length === 0) {
    throw new LatchkeyError(
      'usage',
      'expected a user, uid, gid, group, exe, unit, container or token to test',
    );
  }
  const account = user === undefined && uid === undefined ? undefined : findUser(user ?? String(uid));
  if (user !== undefined && account === undefined) {
    throw new LatchkeyError('usage', `user: there is no user ${JSON.stringify(user)}`);
  }
  return {
    kind: 'process',
    uid: uid ?? account?.uid ?? nobody,
    gid: gid ?? account?.gid ?? nobody,
    groups: [...groups.map(groupId), ...(account === undefined ? [] : groupsOfUser(account.name))],
    pid: 0,
    startTime: undefined,
    exe,
    unit,
    container,
    isForeign: false,
  };
}

function groupId(nameOrId: string): number {
  if (/^\d+$/.test(nameOrId)) return Number(nameOrId);
  const group = findGroup(nameOrId);
  if (group === undefined) {
    throw new LatchkeyError('usage', `group: there is no group ${JSON.stringify(nameOrId)}`);
  }
  return group.gid;
}
