// A credential that was refused twice will not become right: shown again and again it locks the role for every host, because
// vaults count refused logins (user lockout). So it is no longer shown until there is another one, or a long time is over; a
// file that is only touched, or written again as it was, is none. Pure but for what it remembers.
import { createHash } from 'node:crypto';
import type { Credentials } from '../auth/auth-method.ts';
import type { AuthConfig } from '../config/vault-config.ts';

export interface RefusedCredential {
  refused(credentials: Credentials, reason: Error, now: number): void;
  accepted(): void;
  /** Why this one is not to be shown now, in place of showing it: the words of the last refusal. */
  heldBack(credentials: Credentials, now: number): Error | undefined;
  /** How long it is not to be shown, less where it was held back since; 0: the usual backoff will do. */
  waitMs(now: number): number;
}

/** What user lockout of Vault and OpenBao counts: the others have no secret that can be guessed. */
const counted: ReadonlySet<AuthConfig['method']> = new Set(['approle', 'userpass', 'ldap']);
const mostShown = 2;
/** As long as a lockout lasts where nobody has configured another. */
const longWaitMs = 900_000;
/** Whoever has mended the vault's side need not wait so long; three times in the time that a vault counts is no lock. */
const askedWaitMs = 300_000;

export function createRefusedCredential(method: AuthConfig['method']): RefusedCredential {
  let last: { readonly digest: string; readonly reason: Error; readonly at: number } | undefined;
  let shown = 0;
  let isAskedFor = false;
  return {
    refused(credentials, reason, now) {
      const digest = digestOf(credentials);
      if (digest === undefined || !counted.has(method)) return;
      shown = digest === last?.digest ? shown + 1 : 1;
      last = { digest, reason, at: now };
      isAskedFor = false;
    },
    accepted() {
      shown = 0;
      last = undefined;
    },
    heldBack(credentials, now) {
      if (last === undefined || shown < mostShown || now - last.at >= askedWaitMs) return undefined;
      if (digestOf(credentials) !== last.digest) return undefined;
      isAskedFor = true;
      return last.reason;
    },
    waitMs(now) {
      if (shown < mostShown || last === undefined) return 0;
      return Math.max(0, last.at + (isAskedFor ? askedWaitMs : longWaitMs) - now);
    },
  };
}

function digestOf(credentials: Credentials): string | undefined {
  if (credentials.kind !== 'login') return undefined;
  return createHash('sha256').update(JSON.stringify(credentials.body)).digest('base64');
}
