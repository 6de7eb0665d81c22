// The resolved form of the keys in server-schema.ts.
import { goBoolean } from '../../base/text/go-boolean.ts';
import type { Place } from '../problems.ts';
import type { KindContext } from './kind-context.ts';
import { type LimitsConfig, resolveLimits } from './limits.ts';
import { resolveProxy } from './proxy.ts';
import type { ServerConfig, TlsConfig } from './server-config.ts';
import type { ServerInput } from './server-schema.ts';

export const defaultTimeoutMs = 60_000;

/** `known` is what the service allows and wants; `variable` gives the `VAULT_*` variables that speak for this upstream. */
export function resolveServer(
  value: ServerInput,
  place: Place,
  context: KindContext,
  known: Partial<LimitsConfig> = {},
  variable: (key: string) => string | undefined = () => undefined,
): ServerConfig {
  return {
    ...resolveLimits(value.limits, known),
    tls: resolveTls(value, place, variable, context),
    proxy: resolveProxy(value.proxy, place.at('proxy'), context.problems),
    budget: {
      requestsPerSecond: value.budget.requests_per_second,
      concurrency: value.budget.concurrency,
    },
    timeoutMs: value.timeout ?? defaultTimeoutMs,
    maxBodyBytes: value.max_body,
  };
}

function resolveTls(
  { tls }: Pick<ServerInput, 'tls'>,
  place: Place,
  variable: (key: string) => string | undefined,
  context: KindContext,
): TlsConfig {
  const at = place.at('tls');
  const certFile = context.optionalPathAt(at, tls.cert_file) ?? variable('VAULT_CLIENT_CERT');
  const keyFile = context.optionalPathAt(at, tls.key_file) ?? variable('VAULT_CLIENT_KEY');
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const missing = certFile === undefined ? 'cert_file' : 'key_file';
    context.problems.add(at, `missing ${missing}: a client certificate needs both cert_file and key_file`);
  }
  const { authority } = place.source;
  return {
    ...(authority === undefined ? {} : { inline: { ca: authority } }),
    caFile: context.optionalPathAt(at, tls.ca_file) ?? variable('VAULT_CACERT'),
    caPath: context.optionalPathAt(at, tls.ca_path) ?? variable('VAULT_CAPATH'),
    certFile,
    keyFile,
    serverName: tls.server_name ?? variable('VAULT_TLS_SERVER_NAME'),
    skipVerify: tls.skip_verify ?? goBoolean(variable('VAULT_SKIP_VERIFY') ?? '') === true,
  };
}
