// A Vault as the agent uses it: what the file leaves open comes from the VAULT_* variables.
import { parseDuration } from '../../../base/time/duration.ts';
import type { Named } from '../../../config/item.ts';
import type { Place } from '../../../config/problems.ts';
import { oneOfKeys } from '../../../config/resolve/one-of-keys.ts';
import type { ResolveContext } from '../../../config/resolve/resolve-context.ts';
import { defaultTimeoutMs, resolveServer } from '../../../config/upstreams/server-resolve.ts';
import type { AuthCommon, AuthConfig, SinkConfig, VaultUpstreamConfig } from './vault-config.ts';
import type { AuthInput, VaultInput } from './vault-schema.ts';

export function resolveVault(item: Named<VaultInput>, context: ResolveContext): VaultUpstreamConfig {
  const { value, place, name } = item;
  // With several upstreams the environment speaks for those only that do not say where they are.
  const speaks = context.upstreamNames.size === 1 || value.address === undefined;
  const variable = (key: string) => (speaks ? context.env[key] || undefined : undefined);
  const config: VaultUpstreamConfig = {
    name,
    kind: 'vault',
    addresses: resolveAddresses(value, place, variable('VAULT_ADDR'), context),
    namespace: value.namespace ?? variable('VAULT_NAMESPACE'),
    auth: resolveAuth(value.auth, place.at('auth'), context),
    sinks: value.sinks.map((sink, index) => resolveSink(sink, place.at('sinks', index), context)),
    events: value.events,
    ...resolveServer(value, place, context, {}, variable),
    timeoutMs: value.timeout ?? timeoutOf(variable('VAULT_CLIENT_TIMEOUT')),
  };
  if (
    value.auth.method === 'cert' &&
    (config.tls.certFile === undefined || config.tls.keyFile === undefined)
  ) {
    context.problems.add(
      place.at('auth'),
      'method cert needs a client certificate; set tls.cert_file and tls.key_file',
    );
  }
  return config;
}

function resolveAddresses(
  value: VaultInput,
  place: Place,
  fromEnvironment: string | undefined,
  { problems }: ResolveContext,
): string[] {
  const { address } = value;
  const addresses =
    address === undefined ? [fromEnvironment].filter((url) => url !== undefined) : [address].flat();
  if (addresses.length === 0) {
    problems.add(
      place,
      'missing address, expected a URL such as https://vault.example:8200; set it here or in $VAULT_ADDR',
      'key',
    );
  }
  for (const [index, text] of addresses.entries()) {
    const at = Array.isArray(address) ? place.at('address', index) : place.at('address');
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      problems.add(
        at,
        `expected a URL that starts with https:// or http://${fromEnvironment === undefined ? '' : ' in $VAULT_ADDR'}`,
      );
    } else if (url.username !== '' || url.password !== '') {
      problems.add(at, 'a URL here has no name and password; secrets do not belong in this file');
    }
  }
  return addresses.map((text) => text.replace(/\/+$/, ''));
}

/** `60` (seconds) or `60s`, as Vault's own tools take it. */
function timeoutOf(text: string | undefined): number {
  if (text === undefined) return defaultTimeoutMs;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  try {
    return parseDuration(text);
  } catch {
    return defaultTimeoutMs; // a variable that other programs read too does not stop this one
  }
}

function resolveSink(sink: VaultInput['sinks'][number], place: Place, context: ResolveContext): SinkConfig {
  const path = context.pathAt(place, sink.path);
  context.claim(path, place.at('path'));
  if (sink.dh_path === undefined && (sink.derive_key || sink.aad !== undefined)) {
    context.problems.add(place, 'derive_key and aad are for an encrypted sink; set dh_path');
  }
  return {
    path,
    mode: sink.mode,
    owner: sink.owner,
    group: sink.group,
    wrapTtlSeconds: seconds(sink.wrap_ttl),
    dhPath: context.optionalPathAt(place, sink.dh_path),
    deriveKey: sink.derive_key,
    aad: sink.aad,
  };
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.max(1, Math.round(ms / 1000));
}

const defaultMounts: Readonly<Record<string, string>> = { token_file: 'token' };

function resolveAuth(auth: AuthInput, place: Place, context: ResolveContext): AuthConfig {
  const common = resolveCommon(auth, place, context);
  switch (auth.method) {
    case 'token':
      return { ...common, method: 'token', isWrapped: auth.unwrap, token: place.source.token };
    case 'none':
      return { ...common, method: 'none' };
    case 'token_file': {
      const path = context.pathAt(place, auth.path);
      return { ...common, method: 'token_file', path, isWrapped: auth.unwrap };
    }
    case 'approle':
      return { ...common, ...resolveApprole(auth, place, context) };
    case 'cert':
      return { ...common, method: 'cert', name: auth.name };
    case 'jwt':
    case 'kubernetes':
    case 'userpass':
    case 'ldap':
    case 'kerberos':
      return { ...common, ...resolveFileAuth(auth, place, context) };
    case 'oci':
    case 'cf':
    case 'azure':
      return { ...common, ...resolvePlatformAuth(auth, place, context) };
    default:
      return { ...common, ...resolveCloudAuth(auth, place) };
  }
}

type FileMethod = 'jwt' | 'kubernetes' | 'userpass' | 'ldap' | 'kerberos';

/** By a credential in a file. */
function resolveFileAuth(
  auth: Extract<AuthInput, { method: FileMethod }>,
  place: Place,
  context: ResolveContext,
): MethodConfig<FileMethod> {
  switch (auth.method) {
    case 'jwt':
      return {
        method: 'jwt',
        role: auth.role,
        path: context.pathAt(place, auth.path),
        removeFile: auth.remove_file,
        removesTarget: auth.remove_target,
      };
    case 'kubernetes':
      return {
        method: 'kubernetes',
        role: auth.role,
        path: context.pathAt(place, auth.path),
        token: place.source.token,
      };
    case 'kerberos':
      return {
        method: 'kerberos',
        username: auth.username,
        service: auth.service,
        realm: auth.realm,
        keytabFile: context.pathAt(place, auth.keytab),
        krb5ConfFile: context.pathAt(place, auth.krb5_conf),
      };
    default:
      return {
        method: auth.method,
        username: auth.username,
        passwordFile: context.pathAt(place, auth.password_file),
        removeFile: auth.remove_file,
        removesTarget: auth.remove_target,
      };
  }
}

type PlatformMethod = 'oci' | 'cf' | 'azure';

/** By the identity that a platform gives its instances. */
function resolvePlatformAuth(
  auth: Extract<AuthInput, { method: PlatformMethod }>,
  place: Place,
  context: ResolveContext,
): MethodConfig<PlatformMethod> {
  switch (auth.method) {
    case 'oci':
      return {
        method: 'oci',
        role: auth.role,
        type: auth.type,
        configFile: context.optionalPathAt(place, auth.config_file),
        profile: auth.profile,
      };
    case 'cf':
      return {
        method: 'cf',
        role: auth.role,
        certFile: context.optionalPathAt(place, auth.cert_file),
        keyFile: context.optionalPathAt(place, auth.key_file),
      };
    case 'azure':
      return {
        method: 'azure',
        role: auth.role,
        resource: auth.resource,
        clientId: auth.client_id,
        objectId: auth.object_id,
        scope: auth.scope,
      };
  }
}

function resolveCommon(auth: AuthInput, place: Place, { problems }: ResolveContext): AuthCommon {
  if (auth.min_backoff > auth.max_backoff) {
    problems.add(place.at('min_backoff'), 'expected at most max_backoff');
  }
  return {
    mount: (auth.mount ?? defaultMounts[auth.method] ?? auth.method).replace(/^\/?(?:auth\/)?|\/+$/g, ''),
    namespace: auth.namespace,
    minBackoffMs: auth.min_backoff,
    maxBackoffMs: auth.max_backoff,
    exitOnError: auth.exit_on_error,
    wrapTtlSeconds: seconds(auth.wrap_ttl),
  };
}

type Without<T> = T extends AuthConfig ? Omit<T, keyof AuthCommon> : never;
type MethodConfig<M extends AuthConfig['method']> = Without<Extract<AuthConfig, { method: M }>>;

function resolveApprole(
  auth: Extract<AuthInput, { method: 'approle' }>,
  place: Place,
  context: ResolveContext,
): MethodConfig<'approle'> {
  oneOfKeys(context.problems, place, auth, ['role_id', 'role_id_file']);
  if (auth.secret_id_wrapped && auth.secret_id_file === undefined) {
    context.problems.add(
      place.at('secret_id_wrapped'),
      'needs secret_id_file, the file with the wrapping token',
    );
  }
  return {
    method: 'approle',
    roleId: auth.role_id,
    roleIdFile: context.optionalPathAt(place, auth.role_id_file),
    secretIdFile: context.optionalPathAt(place, auth.secret_id_file),
    removeSecretIdFile: auth.remove_secret_id_file,
    secretIdWrapped: auth.secret_id_wrapped,
  };
}

function resolveCloudAuth(
  auth: Extract<AuthInput, { method: 'aws' | 'alicloud' | 'gcp' }>,
  { source }: Place,
): MethodConfig<'aws' | 'alicloud' | 'gcp'> {
  switch (auth.method) {
    case 'aws':
      return {
        method: 'aws',
        role: auth.role,
        type: auth.type,
        nonce: auth.nonce,
        region: auth.region,
        headerValue: auth.header_value,
        stsEndpoint: auth.sts_endpoint,
        keys: source.cloudKeys,
      };
    case 'gcp':
      return {
        method: 'gcp',
        role: auth.role,
        type: auth.type,
        serviceAccount: auth.service_account,
        jwtSeconds: Math.round(auth.jwt_life / 1000),
        key: source.cloudKeys?.secret,
      };
    case 'alicloud':
      return {
        method: 'alicloud',
        role: auth.role,
        region: auth.region,
        roleName: auth.role_name,
        keys: source.cloudKeys,
      };
  }
}
