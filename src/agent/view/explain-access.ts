// Explains a decision for a caller that is described, not connected.
import { createAccess } from '../../access/access.ts';
import type { Decision, RuleExplanation } from '../../access/access-policy.ts';
import { accountIds, findGroup, findUser, groupsOfUser } from '../../base/accounts.ts';
import { LatchkeyError } from '../../base/errors.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';

export interface DescribedCaller {
  uid: number | undefined;
  gid: number | undefined;
  user: string | undefined;
  /** Names or ids; supplementary groups beside those of the user's account. */
  groups: readonly string[];
  exe: string | undefined;
  unit: string | undefined;
  container: string | undefined;
}

const nobody = 65_534;

/** Without a uid and a user the caller is nobody in particular. */
export function explainAccess(
  config: ResolvedConfig,
  described: DescribedCaller,
  name: string,
): { decision: Decision; rules: RuleExplanation[] } {
  const named = described.user ?? described.uid?.toString();
  const account = named === undefined ? undefined : findUser(named);
  if (described.user !== undefined && account === undefined) {
    throw new LatchkeyError('usage', `--user: no user is named ${described.user}`);
  }
  const access = createAccess({
    rules: config.access,
    accounts: accountIds,
    ownUid: process.getuid?.() ?? 0,
  });
  const caller = {
    kind: 'process' as const,
    uid: described.uid ?? account?.uid ?? nobody,
    gid: described.gid ?? account?.gid ?? nobody,
    groups: [...described.groups.map(groupId), ...(account === undefined ? [] : groupsOfUser(account.name))],
    pid: 1,
    startTime: undefined,
    exe: described.exe,
    unit: described.unit,
    container: described.container,
  };
  return access.explain(caller, { kind: 'secret', name });
}

function groupId(nameOrId: string): number {
  const group = findGroup(nameOrId);
  if (group === undefined) throw new LatchkeyError('usage', `--group: no group is named ${nameOrId}`);
  return group.gid;
}
