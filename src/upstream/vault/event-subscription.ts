// Listens to the server's events for changes of KV secrets. Where the server has none, or the policy forbids it, polling does
// the work alone, and nobody is bothered.
import { WebSocket } from 'ws';
import { backoffDelayMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import type { Transport } from '../http/transport.ts';
import type { Session } from './session/session.ts';
import type { VaultClient } from './vault-client.ts';

export interface EventSubscription {
  start(): void;
  close(): Promise<void>;
}

export interface EventSubscriptionOptions {
  readonly client: VaultClient;
  readonly transport: Transport;
  readonly session: Session;
  readonly namespace: string | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly onPath: (path: string) => void;
}

/** A server without events is asked again now and then: it may be upgraded, or the policy changed. */
const refusedBackoff = { minMs: 5000, maxMs: 600_000 };
const lostBackoff = { minMs: 500, maxMs: 30_000 };
const openMs = 15_000;
const largestEventBytes = 1 << 20;

export function createEventSubscription(options: EventSubscriptionOptions): EventSubscription {
  const { client, transport, session, clock, random, logger } = options;
  const lifetime = new AbortController();
  let running: Promise<void> = Promise.resolve();

  /** Resolves when the connection has ended; tells whether it was ever open. */
  async function subscribe(): Promise<boolean> {
    const token = await session.token(lifetime.signal);
    const address = client.addresses.current();
    const url = `${address.replace(/^http/, 'ws')}/v1/sys/events/subscribe/kv*?json=true`;
    const { namespace } = options;
    const headers = {
      'x-vault-token': token.value.text(),
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    };
    const tls = await transport.tlsOptions(address);
    const socket = new WebSocket(url, {
      ...tls,
      headers,
      handshakeTimeout: openMs,
      maxPayload: largestEventBytes,
    });
    let wasOpen = false;
    const abort = () => socket.terminate();
    lifetime.signal.addEventListener('abort', abort, { once: true });
    socket.on('message', (data, isBinary) => isBinary || hear(String(data)));
    await new Promise<void>((resolve) => {
      socket.on('open', () => {
        wasOpen = true;
        logger.debug({ address }, 'changes of KV secrets are told by events');
      });
      socket.on('close', () => resolve());
      // A close follows every error; without a listener it would be thrown.
      socket.on('error', () => undefined);
    });
    lifetime.signal.removeEventListener('abort', abort);
    return wasOpen;
  }

  function hear(text: string): void {
    const path = changedPath(text);
    if (path !== undefined) options.onPath(path);
  }

  async function run(): Promise<void> {
    let [refused, lost] = [0, 0];
    while (!lifetime.signal.aborted) {
      await session.ready(lifetime.signal);
      await client.health.whenServing(lifetime.signal);
      const began = clock.now();
      const wasOpen = await subscribe().catch(() => false);
      refused = wasOpen ? 0 : refused + 1;
      lost = wasOpen && clock.now() - began > lostBackoff.maxMs ? 1 : lost + 1;
      if (refused === 1) logger.debug({}, 'no events from this server: KV secrets are polled');
      const waitMs = wasOpen
        ? backoffDelayMs(lost, lostBackoff, random)
        : backoffDelayMs(refused, refusedBackoff, random);
      await clock.sleep(waitMs, lifetime.signal);
    }
  }

  return {
    start() {
      running = run().catch(() => {
        // Closed, or no login to be had: both are told elsewhere.
      });
    },
    async close() {
      lifetime.abort();
      await running;
    },
  };
}

/** The API path in a CloudEvents envelope, `secret/data/app`; undefined for events that change nothing. */
export function changedPath(text: string): string | undefined {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // Not an event.
  }
  const event = inner(inner(inner(value, 'data'), 'event'), 'metadata');
  const path = event?.['data_path'] ?? event?.['path'];
  return typeof path === 'string' && event?.['modified'] !== 'false' ? path : undefined;
}

function inner(value: unknown, key: string): JsonObject | undefined {
  const found = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(found) ? found : undefined;
}
