// Methods `jwt` and `kubernetes`: a signed token from a file, read again for each login, for its issuer replaces it often.
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthContext, AuthMethod } from './auth-method.ts';
import { createUsedUpFile } from './used-up-file.ts';

type JwtConfig = Extract<AuthConfig, { method: 'jwt' | 'kubernetes' }>;

export function createJwtMethod(config: JwtConfig, context: AuthContext): AuthMethod {
  const { path } = config;
  const [isRemoved, removesTarget] =
    config.method === 'jwt' ? [config.removeFile, config.removesTarget ?? false] : [false, false];
  const held = config.method === 'kubernetes' ? config.token : undefined;
  const file = createUsedUpFile({ option: 'auth.path', path, isRemoved, removesTarget }, context);
  return {
    files: held === undefined ? [path] : [],
    async credentials() {
      const jwt = held ?? (await file.read());
      return { kind: 'login', path: 'login', body: { role: config.role, jwt: jwt.text() } };
    },
    accepted: file.accepted,
    rejected: file.rejected,
  };
}
