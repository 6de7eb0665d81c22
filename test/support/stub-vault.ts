// A stand-in for a vault that answers what a test tells it, however hostile; the embedded vault is for the honest answers.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface StubRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly socket: Socket;
}

/** A status with a JSON body (or text), or a function that answers by itself; undefined: the next route is asked. */
export type StubAnswer =
  | { status?: number; json?: unknown; text?: string; headers?: Record<string, string> }
  | ((response: ServerResponse, request: StubRequest) => void)
  | undefined;

export interface StubVault {
  readonly address: string;
  readonly port: number;
  /** All requests so far, in order. */
  readonly requests: StubRequest[];
  count(path: string): number;
  /** Asked before all routes that are there. */
  route(answer: (request: StubRequest) => StubAnswer): void;
  close(): Promise<void>;
}

export interface StubOptions {
  tls?: ServerOptions;
  /** Default: a free one. */
  port?: number;
}

/** Knows logins by AppRole (any id), tokens' lookup and renewal, health, and KV 2 at `secret/` with nothing in it. */
export async function startStubVault(options: StubOptions = {}): Promise<StubVault> {
  const requests: StubRequest[] = [];
  const routes: ((request: StubRequest) => StubAnswer)[] = [defaultRoute()];
  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const url = incoming.url ?? '/';
    const request: StubRequest = {
      method: incoming.method ?? '',
      url,
      path: decodeURIComponent(url.split('?')[0] ?? '').replace(/^\/v1\//, ''),
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      socket: incoming.socket,
    };
    requests.push(request);
    for (const route of routes) {
      const answer = route(request);
      if (answer !== undefined) return send(response, request, answer);
    }
    send(response, request, { status: 404, json: { errors: [] } });
  };
  const listener = (incoming: IncomingMessage, response: ServerResponse) => {
    handle(incoming, response).catch(() => response.destroy());
  };
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    address: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    count: (path) => requests.filter((request) => request.path === path).length,
    route: (answer) => routes.unshift(answer),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function send(response: ServerResponse, request: StubRequest, answer: NonNullable<StubAnswer>): void {
  if (typeof answer === 'function') {
    answer(response, request);
    return;
  }
  const body = answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json));
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
  response.end(body);
}

function defaultRoute(): (request: StubRequest) => StubAnswer {
  let logins = 0;
  return (request) => {
    if (request.path === 'sys/health') return { json: { initialized: true, sealed: false, standby: false } };
    if (/^auth\/.*login/.test(request.path)) {
      logins += 1;
      return { json: { auth: grantedAuth(`s.token-${logins}`) } };
    }
    if (request.path === 'auth/token/lookup-self') {
      return { json: { data: { accessor: 'acc', ttl: 3600, renewable: true, policies: ['default'] } } };
    }
    if (request.path === 'auth/token/renew-self') {
      return { json: { auth: grantedAuth(String(request.headers['x-vault-token'])) } };
    }
    if (request.path.startsWith('sys/internal/ui/mounts/secret')) {
      return { json: { data: { path: 'secret/', type: 'kv', options: { version: '2' } } } };
    }
    if (request.path.startsWith('sys/internal/ui/mounts/')) {
      const start = request.path.slice('sys/internal/ui/mounts/'.length).split('/')[0];
      return { json: { data: { path: `${start}/`, type: start === 'kv1' ? 'kv' : 'other', options: null } } };
    }
    return undefined;
  };
}

/** The `auth` part of a login's answer. */
export function grantedAuth(token: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    client_token: token,
    accessor: `accessor-of-${token.slice(-8)}`,
    policies: ['default', 'app'],
    lease_duration: 3600,
    renewable: true,
    ...over,
  };
}

/** The body of a KV 2 read. */
export function kv2(data: unknown, version = 1, metadata: Record<string, unknown> = {}): unknown {
  return {
    request_id: 'r',
    lease_id: '',
    data: { data, metadata: { version, deletion_time: '', ...metadata } },
  };
}
