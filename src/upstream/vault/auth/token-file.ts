// Method `token_file`: a token that somebody else keeps fresh in a file; a new one in the file is taken at once.
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';
import { readCredential } from './read-credential.ts';
import { unwrapToken } from './unwrap-token.ts';

type TokenFileConfig = Extract<AuthConfig, { method: 'token_file' }>;

export function createTokenFileMethod(config: TokenFileConfig, context: AuthContext): AuthMethod {
  const unwrap = unwrapToken(context, `auth.path: ${config.path}`);
  return {
    files: [config.path],
    isReplacedOnChange: true,
    async credentials(signal) {
      const token = await readCredential('auth.path', config.path, context);
      return { kind: 'token', token: config.isWrapped === true ? await unwrap(token, signal) : token };
    },
  };
}
