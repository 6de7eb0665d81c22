// `latchkey access test NAME`: who may read a secret, and by which rule; decided from the config, asks no agent.
import { explainAccessOf } from '../../agent/offline/explain-access.ts';
import { errorCodes } from '../../api/error-codes.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { nearest } from '../../base/text/nearest.ts';
import { loadConfig } from '../../config/load.ts';
import { print, printJson } from '../output.ts';

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

/** 0: allowed; 3: denied; 4: allowed, but the config has no such secret. As `get` would end for that caller. */
export async function runAccessTest(options: AccessTestOptions): Promise<number> {
  for (const id of ['uid', 'gid'] as const) {
    if (Number.isNaN(options[id])) {
      throw new LatchkeyError('usage', `access test: --${id}: expected a number`);
    }
  }
  const config = loadConfig(options.config ?? [], { checks: 'none' });
  const { name, uid, gid, user, group, exe, unit, container } = options;
  const { decision, rules } = explainAccessOf(
    config,
    { uid, gid, user, groups: group ?? [], exe, unit, container },
    name,
  );
  const names = config.secrets.map((secret) => secret.name);
  const isKnown = names.includes(name);
  const { isAllowed, reason } = decision;
  if (options.json) {
    printJson({ name, known: isKnown, allowed: isAllowed, reason, rules });
  } else {
    if (!isKnown) print(`${unknownName(name, names)}; for the rules it would be`);
    print(`${isAllowed ? 'allowed' : 'denied'}: ${reason}`);
    for (const rule of rules) print(`  rule ${rule.rule}: ${rule.why}`);
  }
  if (!isAllowed) return errorCodes.denied.exit;
  return isKnown ? 0 : errorCodes.not_found.exit;
}

function unknownName(name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  return `unknown: the config has no secret ${JSON.stringify(name)}${guess === undefined ? '' : ` (did you mean ${guess}?)`}`;
}
