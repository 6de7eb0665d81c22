// The embedded development vault: an in-memory server with Vault's HTTP API, for trying out and for tests, never for
// production. This file opens and closes it; what it does is core.ts, router.ts and the mounts.
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { LatchkeyError } from '../../../src/base/errors.ts';
import { type Logger, silentLogger } from '../../../src/base/logger.ts';
import { type Clock, createSystemClock } from '../../../src/base/time/clock.ts';
import { backendCatalog } from './backend-catalog.ts';
import { type Core, createCore, type Flavor } from './core.ts';
import { acceptSubscriptions } from './events/event-subscriptions.ts';
import { createFaultBox, type Fault, type RequestCounts } from './http/faults.ts';
import { createHttpFront } from './http/http-front.ts';
import { acceptListMethod } from './http/list-method.ts';
import { newTokenId } from './identifiers.ts';
import { requestInside } from './request-inside.ts';
import type { NodeRole } from './seal-state.ts';

export interface DevVaultOptions {
  /** `host:port`; default `127.0.0.1:0`, a free port. */
  listen?: string;
  /** Default: a random one. */
  rootToken?: string;
  /** PEM texts; with them the address is https. Client certificates are asked for, never demanded. */
  tls?: { cert: string; key: string };
  /** Whose words errors are in where the two differ; default `vault`. */
  flavor?: Flavor;
  clock?: Clock;
  logger?: Logger;
}

export interface DevVault {
  /** Listens and gives the address, such as `http://127.0.0.1:8200`. */
  start(): Promise<string>;
  /** The address; throws before `start`. */
  readonly address: string;
  readonly rootToken: string;
  /** Base64; opens the seal after `seal`. */
  readonly unsealKey: string;
  /**
   * Asks the server without a connection, past faults and counters, as root unless told otherwise: for seeds and tests.
   * Never rejects for what the server refuses; look at `status`.
   */
  request(method: DevMethod, path: string, data?: object, options?: DevRequestOptions): Promise<DevAnswer>;
  /** For people who start it: that it is for development only, and how to reach it. */
  banner(): string;
  addFault(fault: Fault): void;
  clearFaults(): void;
  requests(): RequestCounts;
  resetRequests(): void;
  seal(): void;
  unseal(): void;
  /** Event subscriptions open now. */
  readonly subscriptions: number;
  /** Plays a standby; with an address it redirects there. */
  setRole(role: NodeRole, activeAddress?: string): void;
  /** Ends every token's and lease's timers and every connection; revokes nothing. */
  close(): Promise<void>;
}

export type DevMethod = 'GET' | 'LIST' | 'PUT' | 'PATCH' | 'DELETE';

export interface DevRequestOptions {
  token?: string;
  namespace?: string;
  wrapTtlSeconds?: number;
}

export interface DevAnswer {
  status: number;
  /** The parsed JSON; empty for an answer without a body. Numbers are JavaScript's. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the API's, path by path
  body: any;
}

/** Like Vault's dev mode: unsealed, KV 2 at `secret/`. */
export function createDevVault(options: DevVaultOptions = {}): DevVault {
  const faults = createFaultBox();
  const core = createCore({
    clock: options.clock ?? createSystemClock(),
    logger: options.logger ?? silentLogger,
    flavor: options.flavor ?? 'vault',
    version: '1.21.0',
    factories: backendCatalog,
  });
  const root = core.tokens.create({
    id: options.rootToken ?? newTokenId('service', 'root'),
    namespace: core.namespaces.root,
    policies: ['root'],
    path: 'auth/token/root',
    displayName: options.rootToken === undefined ? 'root' : 'token',
    ttlSeconds: 0,
    renewable: false,
  });
  core.mount(core.namespaces.root, 'secret', 'secret/', 'kv', {
    description: 'key/value secret storage',
    options: { version: '2' },
  });
  const front = createHttpFront(core, faults);
  const server = createListener(options, front.handle);
  acceptListMethod(server);
  const subscriptions = acceptSubscriptions(server, core, faults);
  let address = '';

  return {
    get address() {
      if (address === '') throw new LatchkeyError('internal', 'the development vault is not started');
      return address;
    },
    get subscriptions() {
      return subscriptions.count;
    },
    rootToken: root.id,
    unsealKey: core.seal.unsealKey,
    request: (method, path, data, asked) => requestInside(core, root.id, method, path, data, asked),
    banner: () => banner(address, root.id, core),
    async start() {
      const { host, port } = parseListen(options.listen ?? '127.0.0.1:0');
      const bound = await listen(server, host, port);
      const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      address = `${options.tls === undefined ? 'http' : 'https'}://${shown}:${bound.port}`;
      return address;
    },
    addFault: (fault) => faults.add(fault),
    clearFaults: () => faults.clear(),
    requests: () => faults.counts(),
    resetRequests: () => faults.resetCounts(),
    seal: () => core.seal.seal(),
    unseal: () => void core.seal.unseal(core.seal.unsealKey),
    setRole(role, activeAddress) {
      core.seal.role = role;
      core.seal.activeAddress = activeAddress;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      subscriptions.close();
      server.closeAllConnections();
      if (server.listening || address !== '') await closed;
      await core.close();
    },
  };
}

function createListener(
  options: DevVaultOptions,
  handle: ReturnType<typeof createHttpFront>['handle'],
): Server {
  if (options.tls === undefined) return createServer({ keepAliveTimeout: 60_000 }, handle);
  const { cert, key } = options.tls;
  return createTlsServer(
    { cert, key, requestCert: true, rejectUnauthorized: false, keepAliveTimeout: 60_000 },
    handle,
  );
}

function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      const remedy = isTaken
        ? 'choose another port with --listen, or end the program that holds it'
        : 'check --listen';
      reject(
        new LatchkeyError(
          'listener_failed',
          `cannot listen on ${host}:${port}: ${error.code ?? error.message}`,
          { cause: error, remedy },
        ),
      );
    });
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new LatchkeyError(
      'usage',
      `--listen: expected host:port such as 127.0.0.1:8200, got ${JSON.stringify(text)}`,
    );
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}

function banner(address: string, rootToken: string, core: Core): string {
  return [
    'Development vault: everything is in memory, unsealed, and gone when it ends. Never use it in production.',
    '',
    `    export VAULT_ADDR='${address}'`,
    `    export VAULT_TOKEN='${rootToken}'`,
    '',
    `Unseal key: ${core.seal.unsealKey}`,
    '',
  ].join('\n');
}
