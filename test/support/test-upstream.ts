// A Vault upstream for tests: its config with defaults, and a list of what it logged.
import { createSystemClock } from '../../src/base/time/clock.ts';
import type { SourceOptions } from '../../src/upstream/secret-source.ts';
import type { AuthConfig, VaultUpstreamConfig } from '../../src/upstream/vault/config/vault-config.ts';
import { createVaultUpstream } from '../../src/upstream/vault/vault-upstream.ts';
import { recordLogs } from './record-logs.ts';

export const authCommon = {
  namespace: undefined,
  minBackoffMs: 20,
  maxBackoffMs: 100,
  exitOnError: false,
  wrapTtlSeconds: undefined,
} as const;

export const appRole: AuthConfig = {
  ...authCommon,
  method: 'approle',
  mount: 'approle',
  roleId: 'role-id',
  roleIdFile: undefined,
  secretIdFile: undefined,
  removeSecretIdFile: true,
  secretIdWrapped: false,
};

export const noTls = {
  caFile: undefined,
  caPath: undefined,
  certFile: undefined,
  keyFile: undefined,
  serverName: undefined,
  skipVerify: false,
} as const;

export function upstreamConfig(
  over: Partial<VaultUpstreamConfig> & { addresses: readonly string[] },
): VaultUpstreamConfig {
  return {
    name: 'vault',
    kind: 'vault',
    namespace: undefined,
    proxy: undefined,
    tls: noTls,
    auth: appRole,
    budget: { requestsPerSecond: 500, concurrency: 16 },
    limits: [],
    priceOfTenThousand: undefined,
    sinks: [],
    events: false,
    // Long for a fast clock too, where the machine is busy.
    timeoutMs: 6_000_000,
    maxBodyBytes: 1 << 20,
    ...over,
  };
}

export interface TestUpstreamOptions extends Partial<Omit<SourceOptions<VaultUpstreamConfig>, 'config'>> {
  config: Partial<VaultUpstreamConfig> & { addresses: readonly string[] };
}

export function createTestUpstream(options: TestUpstreamOptions) {
  const logs = recordLogs();
  const upstream = createVaultUpstream({
    clock: createSystemClock(),
    logger: logs.logger,
    random: () => 0,
    env: {},
    ...options,
    config: upstreamConfig(options.config),
  });
  return { upstream, logs };
}

export const interactive = () => ({ signal: AbortSignal.timeout(60_000), priority: 'interactive' as const });
export const shutdown = { revokeToken: false, signal: AbortSignal.timeout(600_000) };
