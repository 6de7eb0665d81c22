// How a vault is doing, put together from its parts: whether it serves at all, the login, the limits of the server.
import { describeError } from '../../base/errors.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Gate } from '../gate/gate.ts';
import type { Quota } from '../gate/quota.ts';
import type { ServerClock } from '../http/server-clock.ts';
import type { SinkStatus, SourceStatus } from '../secret-source.ts';
import type { SourceStateName } from '../source-state.ts';
import type { VaultUpstreamConfig } from './config/vault-config.ts';
import type { Session } from './session/session.ts';
import type { VaultClient } from './vault-client.ts';

export type VaultStatus = SourceStatus & Required<Pick<SourceStatus, 'login' | 'budget'>>;

interface VaultStatusOptions {
  readonly config: VaultUpstreamConfig;
  readonly budget: () => VaultUpstreamConfig['budget'];
  readonly isClosed: () => boolean;
  readonly sinks: () => readonly SinkStatus[];
  readonly gate: Gate;
  readonly client: VaultClient;
  readonly session: Session;
  readonly serverClock: ServerClock;
  readonly clock: Clock;
  tell(status: VaultStatus): void;
}

export function createVaultStatus(options: VaultStatusOptions) {
  const { config, gate, client, session, serverClock, clock } = options;
  let since = clock.wall();
  let told: SourceStateName | undefined;

  function state(): { state: SourceStateName; message: string | undefined } {
    if (options.isClosed()) return { state: 'closed', message: undefined };
    const away = gate.health.failure();
    if (away) return { state: away.state, message: describeError(away) };
    const { state: name, error } = session.status();
    const isLimited = name === 'login_failed' && error?.code === 'upstream_rate_limited';
    const message =
      error === undefined ? describeLimits(gate.quota.status(), clock.wall()) : describeError(error);
    return { state: isLimited ? 'rate_limited' : name, message };
  }

  function now(): VaultStatus {
    const { state: name, message } = state();
    const { login, isFatal } = session.status();
    const sinks = options.sinks();
    return {
      name: config.name,
      kind: config.kind,
      state: name,
      since,
      address: client.addresses.current(),
      login,
      budget: { ...gate.status(), requestsPerSecond: options.budget().requestsPerSecond },
      ...(message === undefined ? {} : { message }),
      ...(config.namespace === undefined ? {} : { namespace: config.namespace }),
      ...(serverClock.skewMs() === 0 ? {} : { clockSkewMs: serverClock.skewMs() }),
      ...(isFatal ? { isFatal } : {}),
      ...(sinks.length === 0 ? {} : { sinks }),
    };
  }

  return {
    now,
    /** Something may be another than it was. */
    tell(): void {
      const name = state().state;
      if (told !== name) since = clock.wall();
      told = name;
      options.tell(now());
    },
  };
}

function describeLimits(limits: ReturnType<Quota['status']>, wallMs: number): string | undefined {
  if (limits.length === 0) return undefined;
  const mounts = limits.map(({ mount }) => mount).join(', ');
  const seconds = Math.ceil((Math.max(...limits.map(({ until }) => until)) - wallMs) / 1000);
  return `the server limits the rate of requests at ${mounts} for ${seconds} s more`;
}
