// An agent that itself logs in by AppRole, and writes a database credential for programs that log in with it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
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
  const { roleId, secretId } = await vault.createAppRole('app', { ...role, token_policies: 'app' });
  const folder = testFolder(t);
  writeFileSync(join(folder, 'role-id'), roleId, { mode: 0o600 });
  writeFileSync(join(folder, 'secret-id'), secretId, { mode: 0o600 });
  const auth = { method: 'approle', role_id_file: 'role-id', secret_id_file: 'secret-id' };
  const loginFile = join(folder, 'database.json');
  const agent = startAgent(t, {
    folder,
    vault,
    config: {
      upstreams: { vault: { kind: 'vault', address: vault.address, auth } },
      secrets: { db: { path: 'database/creds/app' } },
      files: [{ contents: loginContents, destination: loginFile }],
      ...config,
    },
  });
  return { ...agent, loginFile };
}
