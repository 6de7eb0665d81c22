// Explains a decision by a config alone, without an agent that runs.
import { createAccess } from '../../access/access.ts';
import type { Decision, RuleExplanation } from '../../access/access-policy.ts';
import { type DescribedCaller, explainAccess } from '../../access/described-caller.ts';
import { accountIds } from '../../base/system/accounts.ts';
import type { ResolvedConfig } from '../../config/resolved.ts';

export function explainAccessOf(
  config: ResolvedConfig,
  described: DescribedCaller,
  name: string,
): { decision: Decision; rules: RuleExplanation[] } {
  const ownUid = process.getuid?.() ?? 0;
  const access = createAccess({ rules: config.access, accounts: accountIds, ownUid });
  return explainAccess(access, described, { kind: 'secret', name });
}
