// `GET /v1/sys/events/subscribe/GLOB?json=true` over WebSocket: who may subscribe, and which events reach them.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Core } from '../core.ts';
import type { FaultBox } from '../http/faults.ts';
import { clientToken, header } from '../http/http-front.ts';
import { isWithin, type Namespace } from '../namespace.ts';
import { globMatches } from '../policy/glob.ts';
import { errorAnswer, resolveNamespace } from '../router.ts';
import type { TokenEntry } from '../tokens/token-table.ts';
import { permissionDenied, VaultError } from '../vault-error.ts';
import type { VaultEvent } from './event-hub.ts';

export interface EventSubscriptions {
  readonly count: number;
  close(): void;
}

interface Subscription {
  readonly token: TokenEntry;
  readonly namespace: Namespace;
  readonly glob: string;
}

const prefix = 'sys/events/subscribe/';

/** Takes the server's upgrades; `ws` is loaded with the first of them. */
export function acceptSubscriptions(server: Server, core: Core, faults: FaultBox): EventSubscriptions {
  const sockets = new Set<WebSocket>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    try {
      // Either throws on what is no URL.
      const url = new URL(request.url ?? '/', 'http://vault.invalid');
      const path = decodeURIComponent(url.pathname.replace(/^\/v1\//, ''));
      faults.count('GET', path);
      playFault(faults, path, socket);
      const subscription = subscribe(core, request, path, url.searchParams);
      void accept(request, socket, head).then((webSocket) => {
        sockets.add(webSocket);
        webSocket.once('close', () => sockets.delete(webSocket));
        deliver(core, subscription, webSocket);
      });
    } catch (error) {
      refuse(socket, error instanceof VaultError ? error : new VaultError(500, ['internal error']));
    }
  });
  return {
    get count() {
      return sockets.size;
    },
    close() {
      for (const socket of sockets) socket.terminate();
    },
  };
}

function playFault(faults: FaultBox, path: string, socket: Duplex): void {
  const fault = faults.take('GET', path);
  if (fault?.kind === 'status')
    throw new VaultError(fault.status ?? 500, fault.errors ?? ['fault on demand']);
  if (fault !== undefined && fault.kind !== 'latency') socket.destroy();
}

function subscribe(core: Core, request: IncomingMessage, path: string, query: URLSearchParams): Subscription {
  if (core.seal.isSealed) throw new VaultError(503, ['Vault is sealed']);
  const resolved = resolveNamespace(core, header(request, 'x-vault-namespace'), path);
  if (resolved === undefined) throw new VaultError(404, ['namespace not found']);
  // OpenBao has no such path.
  if (!resolved.path.startsWith(prefix) || core.flavor === 'openbao') throw new VaultError(404, []);
  const token = core.tokens.lookup(clientToken(request));
  if (token === undefined || !isWithin(resolved.namespace, token.namespace)) throw permissionDenied();
  const inner = resolved.namespace.path.slice(token.namespace.path.length) + resolved.path;
  if (!core.aclOf(token).allows({ path: inner, capability: 'read', needsSudo: false }))
    throw permissionDenied();
  if (query.get('json') !== 'true')
    throw new VaultError(400, ['the development vault sends events as JSON alone: add json=true']);
  return { token, namespace: resolved.namespace, glob: resolved.path.slice(prefix.length) };
}

async function accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws');
  const acceptor = new WebSocketServer({ noServer: true });
  return new Promise((resolve) => acceptor.handleUpgrade(request, socket, head, resolve));
}

function deliver(core: Core, subscription: Subscription, webSocket: WebSocket): void {
  const stop = core.events.listen((event, message) => {
    if (core.tokens.lookup(subscription.token.id) === undefined)
      return webSocket.close(1000, 'token is gone');
    if (mayReceive(core, subscription, event)) webSocket.send(JSON.stringify(message));
  });
  webSocket.on('error', () => {});
  webSocket.once('close', stop);
}

function mayReceive(core: Core, { token, namespace, glob }: Subscription, event: VaultEvent): boolean {
  if (event.namespace !== namespace || !globMatches(glob, event.type)) return false;
  const path = event.metadata['data_path'] ?? event.metadata['path'] ?? '';
  const inner = namespace.path.slice(token.namespace.path.length) + path;
  return core
    .aclOf(token)
    .allows({ path: inner, capability: 'subscribe', needsSudo: false, eventType: event.type });
}

function refuse(socket: Duplex, error: VaultError): void {
  if (socket.destroyed) return;
  const { status, body = '' } = errorAnswer(error);
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
