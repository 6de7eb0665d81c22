// Method `token`: a token from the environment. It can be renewed, but not replaced.
import { LatchkeyError } from '../../../base/errors.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';

export function createTokenMethod(context: AuthContext): AuthMethod {
  return {
    async credentials() {
      const text = (context.env['VAULT_TOKEN'] || context.env['BAO_TOKEN'])?.trim();
      if (!text) {
        throw new LatchkeyError('login_failed', 'auth.method is token, and $VAULT_TOKEN is not set', {
          remedy: 'set VAULT_TOKEN in the environment of the agent, or choose another auth.method',
        });
      }
      return { kind: 'token', token: SecretValue.fromText(text) };
    },
  };
}
