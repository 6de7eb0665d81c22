// Method `oci`: a signed request that Vault shows to Oracle Cloud, which says whose key signed it.

import { ociInstanceKey } from '../../../cloud/oci/oci-instance.ts';
import { findOciKey } from '../../../cloud/oci/oci-keys.ts';
import { ociAuthorization } from '../../../cloud/oci/oci-signature.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';

type OciConfig = Extract<AuthConfig, { method: 'oci' }>;

export function createOciMethod(config: OciConfig, context: AuthContext): AuthMethod {
  const { env, clock, mount, address, faultOf } = context;
  // The mount compares it with the role, which it reads in small letters.
  const path = `login/${config.role.toLowerCase()}`;
  return {
    async credentials(signal) {
      const now = new Date(clock.wall());
      const { configFile, profile } = config;
      const key =
        config.type === 'instance'
          ? await ociInstanceKey({ env, signal, now })
          : await findOciKey({ env, configFile, profile, faultOf });
      const signed = {
        date: now.toUTCString(),
        '(request-target)': `get /v1/auth/${mount}/${path}`,
        host: new URL(address).host,
      };
      const headers = { ...signed, authorization: ociAuthorization(key, signed) };
      const body = {
        request_headers: Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [canonical(name), [value]]),
        ),
      };
      return { kind: 'login', path, body };
    },
  };
}

/** `Date`, as the mount looks them up; `(request-target)` has no such form. */
function canonical(name: string): string {
  return name.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}
