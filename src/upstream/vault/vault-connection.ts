// The way to the server: its connections, the gate that every request passes, the clock that it tells, the client that asks.
import { createGate, type Gate } from '../gate/gate.ts';
import { createServerClock, type ServerClock } from '../http/server-clock.ts';
import { createTransport, type Transport } from '../http/transport.ts';
import type { SourceOptions } from '../secret-source.ts';
import type { VaultUpstreamConfig } from './config/vault-config.ts';
import { createVaultClient, type VaultClient } from './vault-client.ts';

export interface VaultConnection {
  readonly transport: Transport;
  readonly gate: Gate;
  readonly serverClock: ServerClock;
  readonly client: VaultClient;
  /** Requests under way end. */
  close(): Promise<void>;
}

interface VaultConnectionOptions extends SourceOptions<VaultUpstreamConfig> {
  /** The mount of a path where it is known, with a slash at the end. */
  readonly mountOf: (path: string) => string | undefined;
  /** Whether the server serves, or where, is another matter than before. */
  readonly onChange: () => void;
}

/** Nothing is connected before the first request. */
export function createVaultConnection(options: VaultConnectionOptions): VaultConnection {
  const { config } = options;
  const transport = createTransport({ ...options, ...config });
  const serverClock = createServerClock(options);
  const gate = createGate({
    ...options,
    limits: config.budget,
    allowed: config,
    probe: (signal) => client.probe(signal),
  });
  const { addresses, namespace } = config;
  const client = createVaultClient({ ...options, addresses, namespace, transport, gate, serverClock });
  return {
    transport,
    gate,
    serverClock,
    client,
    async close() {
      client.close();
      gate.close();
      await transport.close();
    },
  };
}
