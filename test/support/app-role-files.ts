// The credentials of a role as an operator puts them down for an agent.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `auth` is to say then. Both files are in `folder`, `role-id` and `secret-id`. */
export function writeAppRole(folder: string, { roleId, secretId }: { roleId: string; secretId: string }) {
  const [role_id_file, secret_id_file] = [join(folder, 'role-id'), join(folder, 'secret-id')];
  writeFileSync(role_id_file, roleId, { mode: 0o600 });
  writeFileSync(secret_id_file, secretId, { mode: 0o600 });
  return { method: 'approle', role_id_file, secret_id_file };
}
