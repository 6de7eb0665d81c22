// Loads the one auth method that the config names; the others, and what they need, stay unloaded.
import { LatchkeyError } from '../../base/errors.ts';
import type { AuthConfig } from '../../config/resolved.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';

export async function loadAuthMethod(config: AuthConfig, context: AuthContext): Promise<AuthMethod> {
  switch (config.method) {
    case 'token':
      return (await import('./token.ts')).createTokenMethod(context);
    case 'approle':
      return (await import('./approle.ts')).createAppRoleMethod(config, context);
    default:
      throw new LatchkeyError('usage', `auth.method: ${config.method} is not known`);
  }
}
