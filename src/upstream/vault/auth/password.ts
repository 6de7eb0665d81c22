// Methods `userpass` and `ldap`: a user name from the config and a password from a file, read again for each login.
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';
import { createUsedUpFile } from './used-up-file.ts';

type PasswordConfig = Extract<AuthConfig, { method: 'userpass' | 'ldap' }>;

export function createPasswordMethod(config: PasswordConfig, context: AuthContext): AuthMethod {
  const { passwordFile: path, removeFile: isRemoved, removesTarget } = config;
  const file = createUsedUpFile({ option: 'auth.password_file', path, isRemoved, removesTarget }, context);
  return {
    files: [path],
    async credentials() {
      const password = await file.read();
      return { kind: 'login', path: `login/${config.username}`, body: { password: password.text() } };
    },
    accepted: file.accepted,
    rejected: file.rejected,
  };
}
