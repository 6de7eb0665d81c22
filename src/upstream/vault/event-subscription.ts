// Listens to the server's events for changes of KV secrets. Where the server has none, or the policy forbids it, polling does
// the work alone, and nobody is bothered.
import type { WebSocket } from 'ws';
import type { Logger } from '../../base/logger.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import { backoffDelayMs } from '../../base/time/backoff.ts';
import type { Clock } from '../../base/time/clock.ts';
import type { Gate } from '../gate/gate.ts';
import type { Transport } from '../http/transport.ts';
import type { Session } from './session/session.ts';
import type { VaultClient } from './vault-client.ts';

export interface EventSubscription {
  /** On or off, as the settings say. Resolves when what was on has ended. */
  turn(isOn: boolean): Promise<void>;
}

interface EventSubscriptionOptions {
  readonly client: VaultClient;
  readonly gate: Gate;
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
const openStatus = 101;
const largestEventBytes = 1 << 20;

export function createEventSubscription(options: EventSubscriptionOptions): EventSubscription {
  const { client, transport, session, clock, random, logger } = options;
  let current: { readonly lifetime: AbortController; readonly ended: Promise<void> } | undefined;

  /** Resolves when the connection has ended; tells whether it was ever open. */
  async function subscribe(signal: AbortSignal): Promise<boolean> {
    const token = await session.token(signal);
    const address = client.addresses.current();
    const { namespace } = options;
    const headers = {
      'x-vault-token': token.value.text(),
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    };
    const tls = await transport.tlsOptions(address);
    const { WebSocket } = await import('ws');
    let socket: WebSocket | undefined;
    const turn = { lane: 'background', signal } as const;
    const { status } = await options.gate.pass(turn, async () => {
      socket = new WebSocket(`${address.replace(/^http/, 'ws')}/v1/sys/events/subscribe/kv*?json=true`, {
        ...tls,
        headers,
        handshakeTimeout: openMs,
        maxPayload: largestEventBytes,
      });
      socket.on('message', (data, isBinary) => isBinary || hear(String(data)));
      return { status: await handshake(socket) };
    });
    if (socket === undefined || status !== openStatus) return false;
    logger.debug({ address }, 'changes of KV secrets are told by events');
    await untilClosed(socket, signal);
    return true;
  }

  function hear(text: string): void {
    const path = changedPath(text);
    if (path !== undefined) options.onPath(path);
  }

  async function run(signal: AbortSignal): Promise<void> {
    let [refused, lost] = [0, 0];
    while (!signal.aborted) {
      await session.ready(signal);
      await client.health.whenServing(signal);
      const began = clock.now();
      const wasOpen = await subscribe(signal).catch(() => false);
      refused = wasOpen ? 0 : refused + 1;
      lost = wasOpen && clock.now() - began > lostBackoff.maxMs ? 1 : lost + 1;
      if (refused === 1) logger.debug({}, 'no events from this server: KV secrets are polled');
      const waitMs = wasOpen
        ? backoffDelayMs(lost, lostBackoff, random)
        : backoffDelayMs(refused, refusedBackoff, random);
      await clock.sleep(waitMs, signal);
    }
  }

  function start() {
    const lifetime = new AbortController();
    // Closed, or no login to be had: both are told elsewhere.
    const ended = run(lifetime.signal).catch(() => undefined);
    return { lifetime, ended };
  }

  return {
    async turn(isOn) {
      if (isOn === (current !== undefined)) return;
      const before = current;
      current = isOn ? start() : undefined;
      before?.lifetime.abort();
      await before?.ended;
    },
  };
}

/** The status with which the server answered: 101, or its refusal; 503 where there was no answer. */
function handshake(socket: WebSocket): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  socket.once('open', () => resolve(openStatus));
  socket.once('unexpected-response', (request, { statusCode }) => {
    resolve(statusCode ?? 503);
    request.destroy();
  });
  // A close follows every error; without a listener it would be thrown.
  socket.on('error', () => resolve(503));
  socket.once('close', () => resolve(503));
  return promise;
}

async function untilClosed(socket: WebSocket, signal: AbortSignal): Promise<void> {
  const abort = () => socket.terminate();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    if (socket.readyState === socket.CLOSED) resolve();
  });
  signal.removeEventListener('abort', abort);
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
