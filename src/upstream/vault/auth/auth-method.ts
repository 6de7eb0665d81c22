// What an auth method is to the session: it brings what one login needs, and hears how the login went.

import type { Logger } from '../../../base/logger.ts';
import type { SecretValue } from '../../../base/secret-value.ts';
import type { Environment, FaultOf } from '../../../base/surroundings.ts';
import type { JsonObject } from '../../../base/text/json.ts';
import type { Clock } from '../../../base/time/clock.ts';
import type { VaultAnswer } from '../answer-policy.ts';

/** A login to ask for, or a token that is there already. */
export type Credentials =
  | {
      readonly kind: 'login';
      /** After `auth/<mount>/`. */
      readonly path: string;
      readonly body: JsonObject;
      /** Secrets may be among them. */
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'token'; readonly token: SecretValue };

export interface AuthMethod {
  /** Throws LatchkeyError `login_failed` when there is nothing to log in with. */
  credentials(signal: AbortSignal): Promise<Credentials>;
  /** The login with the last credentials succeeded: what may be used once only can be put away. */
  accepted?(): Promise<void>;
  /** The vault refused the last credentials. */
  rejected?(): void;
  /** Watched: a change of one is tried at once by a login that waits. */
  readonly files?: readonly string[];
  /** A change of the files means another token, to be taken even while the old one lives. */
  readonly isReplacedOnChange?: boolean;
  close?(): Promise<void>;
}

/** What a login has used up at its source (the file is removed) and later logins need. Shared with a successor of the same auth. */
export interface CredentialMemory {
  secret?: SecretValue | undefined;
}

export interface AuthContext {
  readonly memory: CredentialMemory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly env: Environment;
  readonly faultOf?: FaultOf | undefined;
  /** Without `auth/`. */
  readonly mount: string;
  /** Of the upstream, the first that the config names: a signature may be over its name. */
  readonly address: string;
  /** Calls Vault without the session's token, in the namespace of the login. */
  call(request: VaultCall): Promise<VaultAnswer>;
  /** Tells the session that new credentials are there: a login that waits is tried at once. */
  onCredentials(options: { isReplacement: boolean }): void;
}

interface VaultCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: JsonObject;
  readonly token?: SecretValue;
  readonly signal: AbortSignal;
}
