// A Vault or OpenBao as the agent uses it: where it is, how to log in, what it may be asked for.
import type { SecretValue } from '../../../base/secret-value.ts';
import type { CloudKeys } from '../../../config/upstreams/cloud-keys.ts';
import type { ServerConfig } from '../../../config/upstreams/server-config.ts';

export interface VaultUpstreamConfig extends ServerConfig {
  readonly name: string;
  readonly kind: 'vault';
  /** Tried in order. */
  readonly addresses: readonly string[];
  readonly namespace: string | undefined;
  readonly auth: AuthConfig;
  /** Copies of the token for other programs, as Vault Agent's sinks. */
  readonly sinks: readonly SinkConfig[];
  /** Subscribe to `sys/events/subscribe` where the server has it. */
  readonly events: boolean;
}

/** What all auth methods share. */
export interface AuthCommon {
  /** Without `auth/`: `approle`. */
  readonly mount: string;
  readonly namespace: string | undefined;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly exitOnError: boolean;
  /** Seconds; the login answer is asked for wrapped, and unwrapped by the agent. */
  readonly wrapTtlSeconds: number | undefined;
}

export type AuthConfig = AuthCommon &
  /** `token`: where another tool's file holds it; else `$VAULT_TOKEN`. */
  (
    | { readonly method: 'token'; readonly isWrapped?: boolean; readonly token?: SecretValue | undefined }
    | { readonly method: 'none' }
    | { readonly method: 'token_file'; readonly path: string; readonly isWrapped?: boolean }
    | {
        readonly method: 'approle';
        readonly roleId: string | undefined;
        readonly roleIdFile: string | undefined;
        readonly secretIdFile: string | undefined;
        readonly removeSecretIdFile: boolean;
        readonly secretIdWrapped: boolean;
      }
    | {
        readonly method: 'jwt';
        readonly role: string;
        readonly path: string;
        readonly removeFile: boolean;
        readonly removesTarget?: boolean;
      }
    | {
        readonly method: 'kubernetes';
        readonly role: string;
        readonly path: string;
        /** Where another tool's file holds it; else it is read from `path`. */
        readonly token?: SecretValue | undefined;
      }
    | { readonly method: 'cert'; readonly name: string | undefined }
    | {
        readonly method: 'userpass' | 'ldap';
        readonly username: string;
        readonly passwordFile: string;
        readonly removeFile: boolean;
        readonly removesTarget: boolean;
      }
    | {
        readonly method: 'aws';
        readonly role: string;
        readonly type?: 'iam' | 'ec2';
        /** Of ec2; undefined: one is made up. */
        readonly nonce?: string | undefined;
        readonly region: string;
        readonly headerValue: string | undefined;
        /** Default `https://sts.REGION.amazonaws.com/`. */
        readonly stsEndpoint: string | undefined;
        /** Where another tool's file holds them; else they are looked for. */
        readonly keys?: CloudKeys | undefined;
      }
    | {
        readonly method: 'gcp';
        readonly role: string;
        readonly type: 'gce' | 'iam';
        readonly serviceAccount: string | undefined;
        readonly jwtSeconds: number;
        /** The JSON of a key, where another tool's file holds it. */
        readonly key?: SecretValue | undefined;
      }
    | {
        readonly method: 'alicloud';
        readonly role: string;
        readonly region: string;
        readonly roleName: string | undefined;
        /** As with aws. */
        readonly keys?: CloudKeys | undefined;
      }
    | {
        readonly method: 'cf';
        readonly role: string;
        /** Undefined: as `$CF_INSTANCE_CERT` and `$CF_INSTANCE_KEY` say. */
        readonly certFile: string | undefined;
        readonly keyFile: string | undefined;
      }
    | {
        readonly method: 'oci';
        readonly role: string;
        readonly type: 'instance' | 'apikey';
        /** Undefined: where the tools of Oracle have it. */
        readonly configFile: string | undefined;
        readonly profile: string;
      }
    | {
        readonly method: 'kerberos';
        readonly username: string;
        readonly service: string;
        readonly realm: string;
        readonly keytabFile: string;
        readonly krb5ConfFile: string;
      }
    | {
        readonly method: 'azure';
        readonly role: string;
        readonly resource: string;
        /** Which of several identities; undefined: as `$AZURE_CLIENT_ID` says. */
        readonly clientId: string | undefined;
        readonly objectId: string | undefined;
        /** Of a token of Entra; undefined: `RESOURCE/.default`. */
        readonly scope: string | undefined;
      }
  );

export interface SinkConfig {
  readonly path: string;
  readonly mode: number;
  readonly owner: string | undefined;
  readonly group: string | undefined;
  readonly wrapTtlSeconds: number | undefined;
  /** curve25519 key agreement and AES-GCM, as Vault Agent's `dh_type`. */
  readonly dhPath: string | undefined;
  readonly deriveKey: boolean;
  readonly aad: string | undefined;
}

/** Whether what is logged in with is gone once it was used, so that a later run cannot do so again. */
export function isUsedUp(auth: AuthConfig): boolean {
  if (auth.method === 'token' || auth.method === 'token_file') return auth.isWrapped === true;
  if (auth.method === 'approle')
    return auth.secretIdWrapped || (auth.removeSecretIdFile && auth.secretIdFile !== undefined);
  return (auth.method === 'jwt' || auth.method === 'userpass' || auth.method === 'ldap') && auth.removeFile;
}
