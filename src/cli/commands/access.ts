// `latchkey access test NAME`: who may read a secret, and by which rule; decided from the config, asks no agent.
import { explainAccess } from '../../agent/explain-access.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { loadConfig } from '../../config/load.ts';

interface AccessTestOptions {
  config?: string[] | undefined;
  json: boolean;
  name: string;
  uid?: number | undefined;
  gid?: number | undefined;
  user?: string | undefined;
  group?: string[] | undefined;
  exe?: string | undefined;
  unit?: string | undefined;
  container?: string | undefined;
}

/** 0: allowed; 3: denied. */
export async function runAccessTest(options: AccessTestOptions): Promise<number> {
  for (const id of ['uid', 'gid'] as const) {
    if (Number.isNaN(options[id])) {
      throw new LatchkeyError('usage', `access test: --${id}: expected a number`);
    }
  }
  const config = loadConfig(options.config ?? [], { checks: 'none' });
  const { name, uid, gid, user, group, exe, unit, container } = options;
  const { decision, rules } = explainAccess(
    config,
    { uid, gid, user, groups: group ?? [], exe, unit, container },
    name,
  );
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ name, allowed: decision.isAllowed, reason: decision.reason, rules })}\n`,
    );
  } else {
    process.stdout.write(`${decision.isAllowed ? 'allowed' : 'denied'}: ${decision.reason}\n`);
    for (const rule of rules) process.stdout.write(`  rule ${rule.rule}: ${rule.why}\n`);
  }
  return decision.isAllowed ? 0 : 3;
}
