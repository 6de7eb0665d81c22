// Methods `jwt` and `kubernetes`: a signed token from a file, read again for each login, for its issuer replaces it often.

import { describeError } from '../../../base/errors.ts';
import { removeFile } from '../../../base/paths/remove-file.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import { errnoOf } from '../../../base/system/errno.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';
import { readCredential, readCredentialIfThere } from './read-credential.ts';

type JwtConfig = Extract<AuthConfig, { method: 'jwt' | 'kubernetes' }>;

export function createJwtMethod(config: JwtConfig, context: AuthContext): AuthMethod {
  const isRemoved = config.method === 'jwt' && config.removeFile;
  const { memory } = context;

  async function read(): Promise<SecretValue> {
    if (!isRemoved) return await readCredential('auth.path', config.path);
    // After its file is removed the last one serves until it ends, or until another comes.
    memory.secret = (await readCredentialIfThere('auth.path', config.path)) ?? memory.secret;
    return memory.secret ?? (await readCredential('auth.path', config.path));
  }

  return {
    files: [config.path],
    async credentials() {
      const jwt = await read();
      return { kind: 'login', path: 'login', body: { role: config.role, jwt: jwt.text() } };
    },
    async accepted() {
      if (!isRemoved) return;
      try {
        await removeFile(config.path);
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return;
        context.logger.warn(
          { path: config.path, error: describeError(error) },
          'the jwt file cannot be removed',
        );
      }
    },
    rejected() {
      memory.secret = undefined;
    },
  };
}
