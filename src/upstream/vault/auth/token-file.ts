// Method `token_file`: a token that somebody else keeps fresh in a file; a new one in the file is taken at once.
import type { AuthConfig } from '../../../config/upstreams/vault-config.ts';
import type { AuthMethod } from './auth-method.ts';
import { readCredential } from './read-credential.ts';

type TokenFileConfig = Extract<AuthConfig, { method: 'token_file' }>;

export function createTokenFileMethod(config: TokenFileConfig): AuthMethod {
  return {
    files: [config.path],
    isReplacedOnChange: true,
    async credentials() {
      return { kind: 'token', token: await readCredential('auth.path', config.path) };
    },
  };
}
