// Method `cert`: the client certificate of the TLS connection is the identity. A new certificate is logged in with at once,
// for Vault does not renew a token that another certificate got.
import { LatchkeyError } from '../../../base/errors.ts';
import type { TlsConfig } from '../../../config/upstreams/server-config.ts';
import type { AuthConfig } from '../config/vault-config.ts';
import type { AuthMethod } from './auth-method.ts';

type CertConfig = Extract<AuthConfig, { method: 'cert' }>;

export function createCertMethod(config: CertConfig, tls: TlsConfig): AuthMethod {
  return {
    async credentials() {
      if (tls.certFile === undefined || tls.keyFile === undefined) {
        throw new LatchkeyError('login_failed', 'auth.method is cert, and there is no client certificate', {
          remedy: 'set tls.cert_file and tls.key_file',
        });
      }
      return { kind: 'login', path: 'login', body: config.name === undefined ? {} : { name: config.name } };
    },
  };
}
