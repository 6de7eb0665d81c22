// A credential that was refused twice will not become right: shown again and again it locks the role for every host, because
// vaults count refused logins (user lockout). So it is no longer shown until there is another one, or a long time is over.
import { createHash } from 'node:crypto';
import type { Credentials } from '../auth/auth-method.ts';
import type { AuthConfig } from '../config/vault-config.ts';

export interface RefusedCredential {
  /** Undefined: none was shown. */
  refused(credentials: Credentials | undefined): void;
  accepted(): void;
  /** How long it is not to be shown; 0: the usual backoff will do. */
  waitMs(): number;
}

/** What user lockout of Vault and OpenBao counts: the others have no secret that can be guessed. */
const counted: ReadonlySet<AuthConfig['method']> = new Set(['approle', 'userpass', 'ldap']);
const mostShown = 2;
/** As long as a lockout lasts where nobody has configured another. */
const longWaitMs = 900_000;

export function createRefusedCredential(method: AuthConfig['method']): RefusedCredential {
  let last: string | undefined;
  let shown = 0;
  return {
    refused(credentials) {
      if (credentials?.kind !== 'login' || !counted.has(method)) return;
      const digest = createHash('sha256').update(JSON.stringify(credentials.body)).digest('base64');
      shown = digest === last ? shown + 1 : 1;
      last = digest;
    },
    accepted() {
      shown = 0;
    },
    waitMs: () => (shown >= mostShown ? longWaitMs : 0),
  };
}
