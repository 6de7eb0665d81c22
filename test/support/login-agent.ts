// An agent that itself logs in by AppRole, and writes a database credential for programs that log in with it.
import { join } from 'node:path';
import type { Test } from 'tap';
import { writeAppRole } from './app-role-files.ts';
import { startAgent, type TestAgent } from './cli.ts';
import type { ServedVault } from './served-vault.ts';
import { testFolder } from './test-folder.ts';

/** As `countLogins` reads it, of the secret `db`. */
export const loginContents =
  '{"user":{{ field "db" "username" | toJSON }},"password":{{ field "db" "password" | toJSON }}}';

export interface LoginAgent extends TestAgent {
  /** Where `database/creds/app` is. */
  readonly loginFile: string;
}

/** It is not waited for. */
export async function startLoginAgent(
  t: Test,
  vault: ServedVault,
  { policy, role, config = {} }: { policy: string; role: object; config?: object },
): Promise<LoginAgent> {
  await vault.writePolicy('app', policy);
  const credentials = await vault.createAppRole('app', { ...role, token_policies: 'app' });
  const folder = testFolder(t);
  const loginFile = join(folder, 'database.json');
  const agent = startAgent(t, {
    folder,
    vault,
    upstream: { auth: writeAppRole(folder, credentials) },
    config: {
      secrets: { db: { path: 'database/creds/app' } },
      files: [{ contents: loginContents, destination: loginFile }],
      ...config,
    },
  });
  return { ...agent, loginFile };
}
