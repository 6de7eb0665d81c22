// What of a Vault's settings a reload may change while its login and leases go on: the ways to the server, limits, sinks and
// events.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../base/logger.ts';
import type { Gate } from '../gate/gate.ts';
import { createTlsWatch, type TlsWatch } from '../http/tls-watch.ts';
import type { Transport } from '../http/transport.ts';
import type { SinkConfig, VaultUpstreamConfig } from './config/vault-config.ts';
import type { EventSubscription } from './event-subscription.ts';
import type { Session } from './session/session.ts';
import type { TokenSinks } from './sinks/token-sinks.ts';
import type { VaultClient } from './vault-client.ts';

interface VaultSettingsParts {
  readonly config: VaultUpstreamConfig;
  readonly logger: Logger;
  readonly transport: Transport;
  readonly gate: Gate;
  readonly client: VaultClient;
  readonly session: Session;
  readonly events: EventSubscription;
  makeSinks(sinks: readonly SinkConfig[]): TokenSinks;
}

export interface VaultSettings {
  now(): VaultUpstreamConfig;
  /** Of now. */
  sinks(): TokenSinks;
  /** Files of TLS are watched and events followed from now on. */
  start(): void;
  update(next: VaultUpstreamConfig): void;
  /** Nothing is watched any more. */
  close(): void;
}

export function createVaultSettings(parts: VaultSettingsParts): VaultSettings {
  const { config, logger, transport, gate, client, session, events, makeSinks } = parts;
  let settings = config;
  let sinks = makeSinks(config.sinks);
  /** Undefined until the start. */
  let tlsWatch: TlsWatch | undefined;

  async function tlsChanged(): Promise<void> {
    await transport.reload();
    if (config.auth.method === 'cert') session.replace();
  }

  function watchTls(): void {
    tlsWatch?.close();
    tlsWatch = createTlsWatch({ config: settings, logger, onChange: tlsChanged });
    tlsWatch.start();
  }

  function replaceSinks(): void {
    const before = sinks;
    sinks = makeSinks(settings.sinks);
    void before.close();
    const [token] = session.recentTokens();
    if (session.state() === 'ready' && token !== undefined)
      sinks.write(token, session.status().login.accessor);
  }

  return {
    now: () => settings,
    sinks: () => sinks,
    start() {
      watchTls();
      void events.turn(hasEvents(settings));
    },
    update(next) {
      const before = settings;
      settings = next;
      client.addresses.replace(next.addresses);
      gate.setLimits(next.budget, next);
      const isTlsOther = !isDeepStrictEqual(before.tls, next.tls);
      if (isTlsOther) transport.setTls(next.tls);
      if (!isDeepStrictEqual(before.proxy, next.proxy)) transport.setProxy(next.proxy);
      transport.setLimits(next);
      if (tlsWatch === undefined) return;
      void events.turn(hasEvents(next));
      if (!isDeepStrictEqual(before.sinks, next.sinks)) replaceSinks();
      if (isTlsOther || !isDeepStrictEqual(before.addresses, next.addresses)) watchTls();
      if (next.auth.method === 'cert' && isTlsOther) session.replace();
    },
    close: () => tlsWatch?.close(),
  };
}

/** Their connection does not go through a proxy. */
function hasEvents({ events, proxy }: VaultUpstreamConfig): boolean {
  return events && proxy === undefined;
}
