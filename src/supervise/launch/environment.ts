// The environment of what the agent starts: a short list from its own, what the config passes on, and the variables of the
// process. Everything else (a token, a notify socket) stays with the agent.

import { LatchkeyError } from '../../base/errors.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { UserAccount } from '../../base/system/accounts.ts';
import { harmlessEnvironment } from '../../base/system/harmless-environment.ts';

export type Environment = Record<string, string>;

/**
 * PATH, HOME, LANG, LC_*, TZ, TERM and the names in `passEnv` (`AWS_*` is all that start so) of the agent's own
 * environment. For another user HOME, USER, LOGNAME and SHELL are theirs.
 */
export function baseEnvironment(
  own: Readonly<NodeJS.ProcessEnv>,
  passEnv: readonly string[] = [],
  user?: UserAccount,
): Environment {
  const environment = harmlessEnvironment(own, passEnv);
  if (user === undefined) return environment;
  const { name, home, shell } = user;
  return { ...environment, HOME: home, USER: name, LOGNAME: name, SHELL: shell };
}

/**
 * Adds the variables of a process. They become strings here, so call it just before the start. Throws `process_failed`
 * for a value that no environment can hold; the message names the variable only.
 */
export function addVariables(base: Environment, variables: ReadonlyMap<string, SecretValue>): Environment {
  const environment = { ...base };
  for (const [name, value] of variables) {
    const bytes = value.bytes();
    // Node's own error for a NUL would quote the value.
    if (bytes.includes(0)) throw unfit(name, 'has a NUL byte, which no environment can hold');
    const text = bytes.toString('utf8');
    if (!Buffer.from(text).equals(bytes)) throw unfit(name, 'is not UTF-8');
    environment[name] = text;
  }
  return environment;
}

function unfit(name: string, what: string): LatchkeyError {
  return new LatchkeyError('process_failed', `the value of variable ${name} ${what}`, {
    remedy: 'encode it in the template (base64Encode), or hand it over in a file',
  });
}
