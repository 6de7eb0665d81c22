// Methods `userpass` and `ldap`: a user name from the config and a password from a file, read again for each login.
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthMethod } from './auth-method.ts';
import { readCredential } from './read-credential.ts';

type PasswordConfig = Extract<AuthConfig, { method: 'userpass' | 'ldap' }>;

export function createPasswordMethod(config: PasswordConfig): AuthMethod {
  return {
    files: [config.passwordFile],
    async credentials() {
      const password = await readCredential('auth.password_file', config.passwordFile);
      return { kind: 'login', path: `login/${config.username}`, body: { password: password.text() } };
    },
  };
}
