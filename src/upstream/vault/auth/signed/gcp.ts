// Method `gcp`: an identity token of the instance (gce), or a JWT signed for the service account (iam).

import { gceIdentityToken, signServiceAccountJwt } from '../../../cloud/gcp-identity.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';

type GcpConfig = Extract<AuthConfig, { method: 'gcp' }>;

export function createGcpMethod(config: GcpConfig, context: AuthContext): AuthMethod {
  const { role, serviceAccount } = config;
  return {
    async credentials(signal) {
      const { env, faultOf } = context;
      const source = { env, faultOf, serviceAccount, key: config.key, signal };
      const jwt =
        config.type === 'gce'
          ? await gceIdentityToken(`http://vault/${role}`, source)
          : await signServiceAccountJwt(
              (subject) => ({
                sub: subject,
                aud: `vault/${role}`,
                exp: Math.floor(context.clock.wall() / 1000) + config.jwtSeconds,
              }),
              source,
            );
      return { kind: 'login', path: 'login', body: { role, jwt: jwt.text() } };
    },
  };
}
