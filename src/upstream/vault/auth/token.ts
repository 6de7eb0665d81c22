// Method `token`: a token from the environment, or from the file of another tool. It can be renewed, but not replaced.
import { LatchkeyError } from '../../../base/errors.ts';
import { SecretValue } from '../../../base/secret-value.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';
import { unwrapToken } from './unwrap-token.ts';

type TokenConfig = Extract<AuthConfig, { method: 'token' }>;

export function createTokenMethod(config: TokenConfig, context: AuthContext): AuthMethod {
  const unwrap = unwrapToken(context, '$VAULT_TOKEN');
  return {
    async credentials(signal) {
      const token = config.token ?? tokenOf(context);
      return { kind: 'token', token: config.isWrapped === true ? await unwrap(token, signal) : token };
    },
  };
}

function tokenOf({ env }: AuthContext): SecretValue {
  const text = (env['VAULT_TOKEN'] || env['BAO_TOKEN'])?.trim();
  if (text) return SecretValue.fromText(text);
  throw new LatchkeyError('login_failed', 'auth.method is token, and $VAULT_TOKEN is not set', {
    remedy: 'set VAULT_TOKEN in the environment of the agent, or choose another auth.method',
  });
}
